"""Handlers of the stress programs. An item may tell Python to end its process, and how."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import time
from typing import Any


def _segfault() -> None:
    ctypes.string_at(0)


def _abort() -> None:
    os.abort()


def _leave() -> None:
    os._exit(7)


def _overflow() -> None:
    faulthandler._stack_overflow()


def _raise() -> None:
    raise ValueError("raised on purpose")


def _hang() -> None:
    """Until somebody loses patience; in the end it gives up by itself."""
    time.sleep(3600)


_DEEDS = {
    "segfault": _segfault,
    "abort": _abort,
    "leave": _leave,
    "overflow": _overflow,
    "raise": _raise,
    "hang": _hang,
}


def handle(batch: list[dict[str, Any]]) -> list[list[Any]]:
    """For each item its number, the process, and when its batch began and ended (monotonic)."""
    begin = time.monotonic()
    for item in batch:
        time.sleep(item["seconds"])
        if "deed" in item:
            _DEEDS[item["deed"]]()
    end = time.monotonic()
    return [[item["id"], os.getpid(), begin, end] for item in batch]
