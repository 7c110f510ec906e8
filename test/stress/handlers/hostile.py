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
    """In a wait of the standard library."""
    time.sleep(3600)


def _spin() -> None:
    """In Python code."""
    while True:
        pass


def _stuck() -> None:
    """In C code that holds the GIL and minds no signal's handler."""
    ctypes.PyDLL(None).sleep(3600)


_DEEDS = {
    "segfault": _segfault,
    "abort": _abort,
    "leave": _leave,
    "overflow": _overflow,
    "raise": _raise,
    "hang": _hang,
    "spin": _spin,
    "stuck": _stuck,
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


def double(array: Any) -> Any:
    return array * 2
