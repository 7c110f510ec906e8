"""Holds the GIL without a break, as a C extension does that never lets go of it."""

from __future__ import annotations

import sys
import threading
import time


def load() -> None:
    # Python code lets others in after this many seconds; long enough that nobody gets in.
    sys.setswitchinterval(100)


def handle(batch: list[float]) -> list[tuple[int, float]]:
    held = []
    for seconds in batch:
        start = time.perf_counter()
        while time.perf_counter() - start < seconds:
            sum(range(100_000))
        held.append((threading.get_native_id(), time.perf_counter() - start))
    return held
