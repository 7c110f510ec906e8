"""Pure Python: the interpreter itself is busy, and holds its GIL."""

from __future__ import annotations


def handle(batch: list[str]) -> list[str]:
    return [_checksum(text) for text in batch]


def _checksum(text: str) -> str:
    """Some 200 µs of arithmetic.

    Nothing in the loop is shared between threads: without a GIL, they would take turns at the
    reference count of a global function or of a constant above 256.
    """
    total = 0
    codes = text.encode()
    for turn in range(64):
        for code in codes:
            total = (total * 31 + code + turn) % 251
    return f"{text[:8]} {total}"
