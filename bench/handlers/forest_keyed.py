"""The forest on census records with a key and a number: JSON strings in, JSON strings out."""

from __future__ import annotations

import json
from typing import Any

import forest
import numpy as np


def load() -> None:
    forest.load()


def handle(batch: list[str]) -> list[str]:
    records: list[dict[str, Any]] = [json.loads(text) for text in batch]
    matrix = np.array([forest.row(record) for record in records], dtype=np.float32)
    return [
        json.dumps({"key": record["key"], "number": record["number"], **answer})
        for record, answer in zip(records, forest.answers(matrix))
    ]
