"""Handlers of the Kafka tests."""

from __future__ import annotations

from typing import Any


def handle(batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for item in batch:
        item["double"] = 2 * item["i"]
    return batch
