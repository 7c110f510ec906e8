"""Trains the benchmark's model: train_forest.py RECORDS.jsonl MODEL.joblib"""

from __future__ import annotations

import json
import sys

import joblib
import numpy as np
from sklearn.ensemble import RandomForestClassifier


def main(records_path: str, model_path: str) -> None:
    with open(records_path, encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    incomes = [record.pop("income") for record in records]
    labels = sorted(set(incomes))

    columns = []
    for name, example in records[0].items():
        codes = None
        if isinstance(example, str):
            values = sorted({record[name] for record in records})
            codes = {value: code for code, value in enumerate(values)}
        columns.append((name, codes))

    matrix = np.array(
        [
            [record[name] if codes is None else codes[record[name]] for name, codes in columns]
            for record in records
        ],
        dtype=np.float32,
    )
    targets = [labels.index(income) for income in incomes]
    forest = RandomForestClassifier(n_estimators=100, random_state=0)
    forest.fit(matrix, targets)
    joblib.dump({"forest": forest, "columns": columns, "labels": labels}, model_path)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
