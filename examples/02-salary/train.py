"""Trains the salary model; the demo calls `train` once, through the pool it streams with later."""

from __future__ import annotations

import csv
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import salary  # first: it caps the thread pools before numpy is imported

# isort: split
import joblib
import numpy as np
import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

SEED = 7
TREES = 100


def read(path: str, limit: int | None = None) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Reads a census file: a header, then comma and space between the fields, `target` last."""
    records: list[dict[str, Any]] = []
    targets: list[str] = []
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, skipinitialspace=True):
            if limit is not None and len(records) == limit:
                break
            targets.append(row.pop("target"))
            record: dict[str, Any] = dict(row)
            for name in salary.NUMBERS:
                record[name] = int(record[name])
            records.append(record)
    return records, np.array(targets)


def split(targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers to train on and row numbers held out (80 to 20, both with the same mix)."""
    rows = np.arange(len(targets))
    return train_test_split(rows, test_size=0.2, random_state=SEED, stratify=targets)


def pipeline() -> Pipeline:
    """The model before training: categories one-hot, numbers as they are, then the forest."""
    categories = list(range(len(salary.CATEGORIES)))
    numbers = list(range(len(categories), len(categories) + len(salary.NUMBERS)))
    columns = ColumnTransformer(
        [
            (
                "categories",
                OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32),
                categories,
            ),
            # The table holds Python objects; a plain 'passthrough' would keep them so.
            ("numbers", FunctionTransformer(np.asarray, kw_args={"dtype": np.float32}), numbers),
        ],
        sparse_threshold=0,
    )
    forest = RandomForestClassifier(
        n_estimators=TREES, min_samples_leaf=5, random_state=SEED, n_jobs=1
    )
    return Pipeline([("columns", columns), ("forest", forest)])


def train(batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Handler. Each item is {"data": file, "folder": cache folder, "records": number or null}."""
    return [_train(item["data"], Path(item["folder"]), item["records"]) for item in batch]


def _train(data: str, folder: Path, limit: int | None) -> dict[str, Any]:
    # A saved model is only good for the versions that saved it.
    python = ".".join(map(str, sys.version_info[:3]))
    stem = f"forest-python{python}-sklearn{sklearn.__version__}-numpy{np.__version__}"
    model_file = folder / f"{stem}.joblib"
    facts_file = folder / f"{stem}.json"
    if model_file.exists() and facts_file.exists():
        return {**json.loads(facts_file.read_text("utf-8")), "cached": True}

    started = time.perf_counter()
    records, targets = read(data, limit)
    training, held_out = split(targets)
    model = pipeline()
    model.fit(salary.matrix([records[row] for row in training]), targets[training])
    facts = {
        "model": str(model_file),
        "executable": sys.executable,
        "python": python,
        "sklearn": sklearn.__version__,
        "trained": len(training),
        "heldOut": held_out.tolist(),
        "seconds": round(time.perf_counter() - started, 2),
        "cached": False,
    }
    folder.mkdir(parents=True, exist_ok=True)
    _save(model_file, lambda path: joblib.dump(model, path))
    _save(facts_file, lambda path: Path(path).write_text(json.dumps(facts), "utf-8"))
    return facts


def _save(target: Path, write: Any) -> None:
    """Writes beside the target and renames, so that two demos at once never see half a file."""
    partial = f"{target}.{os.getpid()}.partial"
    write(partial)
    os.replace(partial, target)
