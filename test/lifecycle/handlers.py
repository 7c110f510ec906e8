"""Handlers of the lifecycle tests. Each prints `started` when busy, so that a test can act."""

from __future__ import annotations

import threading
import time
from typing import Any


def started() -> None:
    print("started", flush=True)


def identity(batch: list[Any]) -> list[Any]:
    return batch


def nap(batch: list[float]) -> list[float]:
    """Takes a while, and ends."""
    started()
    for seconds in batch:
        time.sleep(seconds)
    return batch


def loop(batch: list[Any]) -> list[Any]:
    started()
    while True:
        pass


def sleep(batch: list[Any]) -> list[Any]:
    started()
    time.sleep(3600)
    return batch


def wait(batch: list[Any]) -> list[Any]:
    """Blocks on a lock that nobody gives back."""
    lock = threading.Lock()
    lock.acquire()
    started()
    lock.acquire()
    return batch


def blas(batch: list[Any]) -> list[Any]:
    """Leaves numpy's library, and the threads that it has, busy."""
    import numpy as np

    matrix = np.random.default_rng(1).random((300, 300))
    started()
    while True:
        np.linalg.svd(matrix)


def matrix(batch: list[int]) -> list[float]:
    """A short piece of work for numpy, with a known result."""
    import numpy as np

    return [float((np.eye(size) @ np.ones(size)).sum()) for size in batch]


def threads(batch: list[Any]) -> list[Any]:
    """Leaves Python threads behind, daemons and others."""
    for target, daemon in ((_spin, True), (_doze, True), (_doze, False)):
        threading.Thread(target=target, daemon=daemon).start()
    started()
    return batch


def _spin() -> None:
    while True:
        sum(range(1000))


def _doze() -> None:
    while True:
        time.sleep(0.01)


def write(array: Any) -> Any:
    """Writes into JavaScript's memory without an end."""
    started()
    value = 0
    while True:
        value = (value + 1) % 256
        array[:] = value


def write_views(batch: list[memoryview]) -> list[Any]:
    started()
    chunk = bytes(len(batch[0]))
    while True:
        for view in batch:
            view[:] = chunk


def churn(batch: list[int]) -> list[int]:
    """Threads that come and go, each on the stack of another."""
    for _ in range(batch[0]):
        workers = [threading.Thread(target=lambda: [{}] * 100) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    return batch
