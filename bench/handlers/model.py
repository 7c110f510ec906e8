"""What a model does: a batch takes its time, and each item some more."""

from __future__ import annotations

import time

BATCH = 1e-3
ITEM = 5e-6


def handle(batch: list[str]) -> list[str]:
    end = time.perf_counter() + BATCH + ITEM * len(batch)
    while time.perf_counter() < end:
        pass
    return batch
