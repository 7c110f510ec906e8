"""Handlers for the rules of memory: some keep what they were given, as any handler may."""

from __future__ import annotations

import gc
import time
import weakref
from typing import Any

import numpy as np

kept: list[Any] = []
alive = 0


def keep(array: Any) -> Any:
    """Keeps the array, and answers with the same memory."""
    kept.append(array)
    array[0] = 42
    return array


def keep_part(array: Any) -> Any:
    """Keeps a part of the array, and answers with another."""
    kept.append(array[: len(array) // 2])
    return array[len(array) // 2 :]


def same(array: Any) -> Any:
    array += 1
    return array


def kept_sum(_: Any) -> Any:
    """What the kept memory holds now."""
    return np.asarray([float(kept[-1].sum())])


def write_kept(batch: list[int]) -> list[int]:
    """Writes into all memory that was kept: it must be there still."""
    for array in kept:
        array[:] = batch[0]
    return [int(array.sum()) for array in kept][-1:]


def forget(batch: list[int]) -> list[int]:
    kept.clear()
    gc.collect()
    return batch


def keep_views(batch: list[memoryview]) -> list[bytes]:
    kept.extend(batch)
    kept.append(batch[0][1:])
    return [bytes(view) for view in batch]


def try_views(batch: list[int]) -> list[str]:
    """What becomes of views that were kept."""
    answers = []
    for view in kept:
        try:
            answers.append(f"read {view[0]}")
        except ValueError as error:
            answers.append(str(error))
    return [" | ".join(answers)] * len(batch)


def slow_sum(array: Any) -> Any:
    """Looks at the array only after a while."""
    time.sleep(0.15)
    return np.asarray([float(array.sum())])


def slow_write(array: Any) -> Any:
    """Writes all the time for a while, and answers with the same memory."""
    end = time.monotonic() + 0.15
    value = 0
    while time.monotonic() < end:
        value = (value + 1) % 100
        array[:] = value
    array[:] = 7
    return array


def make(array: Any) -> Any:
    """A new array that is counted for as long as it is alive."""
    global alive
    result = np.full(int(array[0]), array[1])
    alive += 1
    weakref.finalize(result, _gone)
    return result


def _gone() -> None:
    global alive
    alive -= 1


def count_alive(batch: list[int]) -> list[int]:
    return [alive for _ in batch]


singleton = np.zeros(100_000)


def one_for_all(array: Any) -> Any:
    """Answers every call with one and the same array."""
    singleton[0] += array[0]
    return singleton
