"""Pure Python: the interpreter itself is busy, and holds its GIL."""

from __future__ import annotations


def handle(batch: list[str]) -> list[str]:
    return [_checksum(text) for text in batch]


def _checksum(text: str) -> str:
    """Some 200 µs of arithmetic on small integers."""
    total = 0
    for turn in range(64):
        for character in text:
            total = (total * 31 + ord(character) + turn) % 65_521
    return f"{text[:8]} {total}"
