"""Handlers that never let go of the GIL: one call into C that runs no bytecode."""

from __future__ import annotations

import threading
import time
from typing import Any

_size = 0


def load() -> None:
    """Finds out how long a range is that takes half a second to add up."""
    global _size
    start = time.perf_counter()
    sum(range(2_000_000))
    _size = int(2_000_000 * 0.5 / (time.perf_counter() - start))


def hold(batch: list[int]) -> list[list[float]]:
    """For each item, in half seconds, the thread, and how long it kept the GIL."""
    held = []
    for times in batch:
        start = time.perf_counter()
        sum(range(times * _size))
        held.append([threading.get_native_id(), time.perf_counter() - start])
    return held


def identity(batch: list[Any]) -> list[Any]:
    return batch


def zeros(array: Any) -> Any:
    import numpy as np

    return np.zeros(100_000)
