"""The handler of a case as this module's `handle`, for packages that call functions of modules."""

from __future__ import annotations

from typing import Any

from payload import load, over_bytes

handle: Any = None


def prepare(folder: str, module: str, function: str, init: str, payload: str) -> None:
    """Makes `handle` what the case asks for: the handler itself where nothing is to be changed."""
    global handle
    handle = over_bytes(load(folder, module, function, init), payload)
