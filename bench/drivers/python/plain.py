"""Calls the handler in a loop and times itself: plain.py FOLDER MODULE INIT

Reads JSON requests, a line each: {"batches": [...]} keeps what to work on, {"run": N} passes N
batches through and answers with the seconds, {"batch": [...]} answers with the results.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from typing import Any, Callable


def main(folder: str, module: str, init: str) -> None:
    sys.path.insert(0, folder)
    loaded = importlib.import_module(module)
    if init:
        getattr(loaded, init)()
    batches: list[list[str]] = []
    for line in sys.stdin:
        request = json.loads(line)
        answer: Any = None
        if "batches" in request:
            batches = request["batches"]
        elif "run" in request:
            answer = run(loaded.handle, batches, request["run"])
        else:
            answer = loaded.handle(request["batch"])
        print(json.dumps(answer), flush=True)


def run(handle: Callable[[list[str]], list[str]], batches: list[list[str]], count: int) -> float:
    ring = len(batches)
    start = time.perf_counter()
    for done in range(count):
        handle(batches[done % ring])
    return time.perf_counter() - start


if __name__ == "__main__":
    main(*sys.argv[1:4])
