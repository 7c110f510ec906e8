"""Predicts the income class of census records: a JSON string in, a JSON string out."""

from __future__ import annotations

import json
import os
from typing import Any

import joblib
import numpy as np

_forest: Any = None
_columns: list[tuple[str, dict[str, int] | None]] = []
_labels: list[str] = []


def load() -> None:
    """Reads the model that train_forest.py wrote; once per interpreter."""
    global _forest, _columns, _labels
    model = joblib.load(os.environ["RXP_BENCH_MODEL"])
    _forest, _columns, _labels = model["forest"], model["columns"], model["labels"]


def handle(batch: list[str]) -> list[str]:
    rows = [row(json.loads(text)) for text in batch]
    return [json.dumps(answer) for answer in answers(np.array(rows, dtype=np.float32))]


def handle_columns(batch: dict[str, Any]) -> dict[str, Any]:
    """Columns in, columns out: texts are codes and their different values."""
    matrix = np.empty((len(batch["age"]), len(_columns)), dtype=np.float32)
    for place, (name, codes) in enumerate(_columns):
        column = batch[name]
        if codes is not None:
            known = np.array([codes.get(value, -1) for value in column.values])
            column = known[column.codes]
        matrix[:, place] = column
    probabilities = _forest.predict_proba(matrix)
    best = probabilities.argmax(axis=1)
    return {
        "probability": np.round(probabilities[np.arange(len(best)), best], 6),
        "income": np.array(_labels)[best].tolist(),
    }


def answers(matrix: Any) -> list[dict[str, Any]]:
    """What the forest says of each row."""
    probabilities = _forest.predict_proba(matrix)
    best = probabilities.argmax(axis=1)
    return [
        {"probability": round(row[label], 6), "income": _labels[label]}
        for row, label in zip(probabilities.tolist(), best.tolist())
    ]


def row(record: dict[str, Any]) -> list[float]:
    return [
        record[name] if codes is None else codes.get(record[name], -1) for name, codes in _columns
    ]
