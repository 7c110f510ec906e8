"""Calls the handler in a loop and times itself: plain.py FOLDER MODULE FUNCTION INIT PAYLOAD CODEC

Reads JSON requests, a line each: {"batches": [...]} keeps what to work on, {"run": N} passes N
batches through and answers with the seconds, {"batch": [...]} answers with the results.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from typing import Any, Callable

from payload import load


class Texts:
    """A column of text, with what handlers of columns use of `rxjs_python.StringColumn`."""

    def __init__(self, texts: list[str]) -> None:
        import numpy as np

        codes: dict[str, int] = {}
        self.codes = np.array([codes.setdefault(text, len(codes)) for text in texts], dtype="i4")
        self.values = list(codes)


def main(folder: str, module: str, function: str, init: str, payload: str, codec: str = "") -> None:
    handle = load(folder, module, function, init)
    columns = codec == "columns"
    batches: list[Any] = []
    for line in sys.stdin:
        request = json.loads(line)
        answer: Any = None
        if "batches" in request:
            batches = [prepare(batch, payload, columns) for batch in request["batches"]]
        elif "run" in request:
            answer = run(handle, batches, request["run"])
        else:
            answer = present(handle(prepare(request["batch"], payload, columns)), payload, columns)
        print(json.dumps(answer), flush=True)


def prepare(batch: Any, payload: str, columns: bool) -> Any:
    """What the handler takes."""
    if columns:
        return {name: column([record[name] for record in batch]) for name in batch[0]}
    if payload == "array":
        import numpy as np

        return np.frombuffer(bytearray(base64.b64decode(batch)))
    if payload == "frames":
        return [base64.b64decode(frame) for frame in batch]
    return batch


def column(values: list[Any]) -> Any:
    import numpy as np

    return Texts(values) if isinstance(values[0], str) else np.array(values)


def present(results: Any, payload: str, columns: bool) -> Any:
    """What the handler gave, for JSON."""
    if columns:
        lists = [list(values) for values in results.values()]
        return [dict(zip(results, values)) for values in zip(*lists)]
    if payload == "array":
        return base64.b64encode(results.tobytes()).decode("ascii")
    if payload == "frames":
        return [base64.b64encode(frame.tobytes()).decode("ascii") for frame in results]
    return results


def run(handle: Callable[[Any], Any], batches: list[Any], count: int) -> float:
    ring = len(batches)
    start = time.perf_counter()
    for done in range(count):
        handle(batches[done % ring])
    return time.perf_counter() - start


if __name__ == "__main__":
    main(*sys.argv[1:7])
