"""A JSON value per line in and out: json_lines.py FOLDER MODULE FUNCTION INIT PAYLOAD"""

from __future__ import annotations

import json
import os
import sys

from payload import load, over_text

READ_BYTES = 1 << 18
WRITE_BYTES = 1 << 14


def main(folder: str, module: str, function: str, init: str, payload: str) -> None:
    handle = over_text(load(folder, module, function, init), payload)
    decode = json.JSONDecoder().decode
    encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode

    parts: list[bytes] = []
    answers: list[bytes] = []
    waiting = 0
    # What one read brings is answered with few writes: one per line costs more than a short line
    # itself, while one for many long lines would leave the other side with nothing to do.
    while chunk := os.read(0, READ_BYTES):
        parts.append(chunk)
        if b"\n" not in chunk:
            continue
        *lines, rest = b"".join(parts).split(b"\n")
        parts = [rest] if rest else []
        for line in lines:
            answers.append(encode(handle(decode(line.decode()))).encode("ascii"))
            waiting += len(answers[-1])
            if waiting >= WRITE_BYTES:
                write_lines(answers)
                answers, waiting = [], 0
        if answers:
            write_lines(answers)
            answers, waiting = [], 0


def write_lines(lines: list[bytes]) -> None:
    view = memoryview(b"\n".join([*lines, b""]))
    while view:
        view = view[os.write(1, view) :]


if __name__ == "__main__":
    main(*sys.argv[1:6])
