"""Plain scikit-learn in a process of its own: what the streamed predictions are checked against.

    python plain.py DATA [RECORDS]

Reads the file, splits, trains and predicts without the package, and prints one JSON object:
{"heldOut": [row, ...], "targets": [...], "predictions": [{"probability": 0.85, ...}, ...]}
"""

from __future__ import annotations

import json
import sys

import salary
import train


def main(path: str, limit: int | None) -> None:
    records, targets = train.read(path, limit)
    training, held_out = train.split(targets)
    model = train.pipeline()
    model.fit(salary.matrix([records[row] for row in training]), targets[training])

    # All rows in one call, and the class from `predict`: not the code that the handler runs.
    table = salary.matrix([records[row] for row in held_out])
    incomes = model.predict(table).tolist()
    chances = model.predict_proba(table).max(axis=1).tolist()
    json.dump(
        {
            "heldOut": held_out.tolist(),
            "targets": targets[held_out].tolist(),
            "predictions": [
                {"probability": chance, "income": income}
                for chance, income in zip(chances, incomes)
            ],
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None)
