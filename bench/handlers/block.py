"""Blocks for an hour, in each of the ways that Python can, and says when it was stopped."""

from __future__ import annotations

import os
import queue
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

HOUR = 3600


def say(text: str) -> None:
    print(text, flush=True)


@contextmanager
def watched() -> Iterator[None]:
    """Says when the work starts, and at which time of the monotonic clock, in ms, it stopped."""
    say("started")
    try:
        yield
    finally:
        say(f"stopped {time.monotonic_ns() / 1e6}")


def blocking(work: Callable[[], Any]) -> Callable[[list[Any]], list[Any]]:
    def handle(batch: list[Any]) -> list[Any]:
        with watched():
            work()
        return batch

    return handle


def _loop() -> None:
    end = time.monotonic() + HOUR
    while time.monotonic() < end:
        pass


def _acquire() -> None:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire(timeout=HOUR)


loop = blocking(_loop)
sleep = blocking(lambda: time.sleep(HOUR))
event = blocking(lambda: threading.Event().wait(HOUR))
lock = blocking(_acquire)
queue_get = blocking(lambda: queue.Queue().get(timeout=HOUR))


def recv(batch: list[Any]) -> list[Any]:
    ours, theirs = socket.socketpair()
    with ours, theirs, watched():
        ours.recv(1)
    return batch


def wait_readable(batch: list[Any]) -> list[Any]:
    ours, theirs = socket.socketpair()
    with ours, theirs, watched():
        select.select([ours], [], [], HOUR)
    return batch


def read_pipe(batch: list[Any]) -> list[Any]:
    reader, writer = os.pipe()
    try:
        with open(reader, encoding="ascii") as lines, watched():
            lines.readline()
    finally:
        os.close(writer)
    return batch


def wait_process(batch: list[Any]) -> list[Any]:
    with subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({HOUR})"]) as process:
        try:
            with watched():
                process.wait()
        finally:
            process.kill()
    return batch


def busy(batch: list[float]) -> list[float]:
    """Pure Python for some seconds."""
    for seconds in batch:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass
    return batch
