"""The handler: census records in, the likelier income and its probability out.

    {"age": 25, "workclass": "Private", ...}  ->  {"probability": 0.85, "income": "<=50K"}

`load` runs once in each interpreter, `handle` once for each batch.
"""

from __future__ import annotations

import os
import warnings
from typing import Any

# Several interpreters share the cores: a thread pool of OpenBLAS's or OpenMP's in each of them
# would only make them wait for one another. Must be set before numpy is imported.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import joblib  # noqa: E402
import numpy as np  # noqa: E402

# On free-threaded builds scikit-learn warns at each call that is not on the main thread.
warnings.filterwarnings("ignore", module=r"sklearn\.utils\.parallel")

CATEGORIES = (
    "workclass",
    "education",
    "marital-status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "native-country",
)
NUMBERS = (
    "age",
    "fnlwgt",
    "education-num",
    "capital-gain",
    "capital-loss",
    "hours-per-week",
)

_loaded: dict[str, Any] = {}


def load(path: str) -> None:
    """Loads the model that train.py saved; a second call with the same path does nothing."""
    if _loaded.get("path") != path:
        _loaded.update(path=path, model=joblib.load(path))


def matrix(records: list[dict[str, Any]]) -> np.ndarray:
    """Records as the table that the model expects: the categories first, then the numbers.

    A record without one of the categories has '?' there, which is how the census file says
    "not known"; a record without one of the numbers is a KeyError.
    """
    table = np.empty((len(records), len(CATEGORIES) + len(NUMBERS)), dtype=object)
    for row, record in enumerate(records):
        get = record.get
        table[row] = [get(name, "?") for name in CATEGORIES] + [record[name] for name in NUMBERS]
    return table


def handle(batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Predicts a whole batch at once, which is what makes it quick."""
    if not _loaded:
        raise RuntimeError("no model yet: call salary.load(path) first, as the handler's init does")
    if not batch:
        return []
    model = _loaded["model"]
    probabilities = model.predict_proba(matrix(batch))
    best = probabilities.argmax(axis=1)
    chances = probabilities[np.arange(len(best)), best].tolist()
    incomes = model.classes_[best].tolist()
    return [{"probability": chance, "income": income} for chance, income in zip(chances, incomes)]
