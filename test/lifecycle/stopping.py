"""Handlers that are stopped from outside, in each of the ways that Python can wait."""

from __future__ import annotations

import os
import queue
import re
import select
import socket
import subprocess
import sys
import threading
import time
from typing import Any

cleaned = 0


def _begin() -> None:
    print("started", flush=True)


def identity(batch: list[Any]) -> list[Any]:
    return batch


def loop(batch: list[Any]) -> list[Any]:
    _begin()
    while True:
        pass


def sleep(batch: list[Any]) -> list[Any]:
    _begin()
    time.sleep(3600)
    return batch


def lock(batch: list[Any]) -> list[Any]:
    held = threading.Lock()
    held.acquire()
    _begin()
    held.acquire()
    return batch


def event(batch: list[Any]) -> list[Any]:
    _begin()
    threading.Event().wait()
    return batch


def queue_get(batch: list[Any]) -> list[Any]:
    _begin()
    return [queue.Queue().get()]


def recv(batch: list[Any]) -> list[Any]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        _begin()
        ours.recv(1)
    return batch


def wait_readable(batch: list[Any]) -> list[Any]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        _begin()
        select.select([ours], [], [])
    return batch


def read_pipe(batch: list[Any]) -> list[Any]:
    """Input that does not come, as input() waits for it."""
    reader, writer = os.pipe()
    try:
        with open(reader, encoding="ascii") as lines:
            _begin()
            return [lines.readline()]
    finally:
        os.close(writer)


def wait_process(batch: list[Any]) -> list[Any]:
    command = [sys.executable, "-c", "import time; time.sleep(3600)"]
    with subprocess.Popen(command) as process:
        try:
            _begin()
            process.wait()
        finally:
            process.kill()
    return batch


def join(batch: list[Any]) -> list[Any]:
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    try:
        _begin()
        thread.join()
    finally:
        end.set()
    return batch


def regex(batch: list[Any]) -> list[Any]:
    _begin()
    re.match("(a*)*b", "a" * 100)
    return batch


async def coroutine(batch: list[Any]) -> list[Any]:
    import asyncio

    _begin()
    await asyncio.sleep(3600)
    return batch


def stubborn(batch: list[Any]) -> list[Any]:
    """Swallows the first request to stop."""
    try:
        _begin()
        while True:
            pass
    except BaseException:
        pass
    while True:
        pass


def tidy(batch: list[Any]) -> list[Any]:
    """Cleans up behind itself."""
    global cleaned
    try:
        _begin()
        while True:
            pass
    finally:
        cleaned += 1


def count_cleaned(batch: list[Any]) -> list[int]:
    time.sleep(0.02)  # so that every interpreter gets its turn
    return [cleaned for _ in batch]


def note(batch: list[Any]) -> list[Any]:
    """Says that it has run."""
    print(f"ran {batch}", flush=True)
    return batch


def short(batch: list[int]) -> list[int]:
    """Some hundred microseconds of Python code."""
    total = 0
    for value in range(batch[0] % 7 * 1000):
        total += value
    return [item * 2 for item in batch]


def nap(batch: list[float]) -> list[float]:
    _begin()
    end = time.monotonic() + batch[0]
    while time.monotonic() < end:
        time.sleep(0.001)
    return batch
