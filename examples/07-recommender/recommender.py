"""A recommender by matrix factorisation: it learns from all ratings so far, again and again."""

import base64
import io

import numpy as np

RANK = 3
ROUNDS = 12
WEIGHT = 0.2

#: By (user, item); a later rating takes the place of an earlier one.
ratings: "dict[tuple[int, int], float]" = {}


def train(batches: "list[dict]") -> "list[dict]":
    """For each `{"ratings": [...], "serving": text or None}` a model of all ratings so far.

    One rating of five is kept aside, always the same ones; `error` is the root of the mean
    square error on them, `serving` that of the model which is served now, on the same ratings.
    """
    results = []
    for batch in batches:
        for rating in batch["ratings"]:
            ratings[rating["user_id"], rating["item_id"]] = rating["rating"]
        known, unseen = split()
        model = fit(known)
        served = None if batch["serving"] is None else unpack(batch["serving"])
        results.append(
            {
                "model": pack(model),
                "ratings": len(ratings),
                "error": error(model, unseen),
                "serving": None if served is None else error(served, unseen),
            }
        )
    return results


def split() -> "tuple[np.ndarray, np.ndarray]":
    rows = np.array([(user, item, rating) for (user, item), rating in ratings.items()])
    aside = (rows[:, 0] * 31 + rows[:, 1] * 17) % 5 == 0
    return rows[~aside], rows[aside]


def fit(rows: np.ndarray) -> "dict[str, np.ndarray]":
    """Alternating least squares: users while items stand still, then items while users do."""
    users, items = rows[:, 0].astype(int), rows[:, 1].astype(int)
    mean = rows[:, 2].mean() if len(rows) else 0.0
    values = rows[:, 2] - mean
    random = np.random.default_rng(1)
    sides = [np.zeros((users.max() + 1, RANK)), random.normal(0, 0.3, (items.max() + 1, RANK))]
    for _ in range(ROUNDS):
        for side, index, other in ((0, users, items), (1, items, users)):
            factors = sides[1 - side]
            for one in np.unique(index):
                mine = index == one
                x = factors[other[mine]]
                square = x.T @ x + WEIGHT * mine.sum() ** 0.5 * np.eye(RANK)
                sides[side][one] = np.linalg.solve(square, x.T @ values[mine])
    return {"mean": np.array(mean), "users": sides[0], "items": sides[1]}


def error(model: "dict[str, np.ndarray]", rows: np.ndarray) -> float:
    """Of users and items that the model has not met it says the mean."""
    if len(rows) == 0:
        return 0.0
    users, items = model["users"], model["items"]
    guesses = np.full(len(rows), float(model["mean"]))
    met = (rows[:, 0] < len(users)) & (rows[:, 1] < len(items))
    u, i = rows[met, 0].astype(int), rows[met, 1].astype(int)
    guesses[met] += (users[u] * items[i]).sum(axis=1)
    return float(np.sqrt(np.mean((guesses - rows[:, 2]) ** 2)))


def pack(model: "dict[str, np.ndarray]") -> str:
    file = io.BytesIO()
    np.savez_compressed(file, **model)
    return base64.b64encode(file.getvalue()).decode()


def unpack(text: str) -> "dict[str, np.ndarray]":
    # Arrays of numbers and nothing else: a pickle could hold code.
    with np.load(io.BytesIO(base64.b64decode(text)), allow_pickle=False) as file:
        return dict(file)
