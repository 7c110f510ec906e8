"""Serves a model: the items that a user would like best."""

import numpy as np
from recommender import unpack

serving = None


def load(models: "list[dict]") -> "list[int]":
    """Takes `{"version": n, "model": text}` in place of the one that is served."""
    global serving
    for one in models:
        serving = (one["version"], unpack(one["model"]))
    return [one["version"] for one in models]


def handle(requests: "list[dict]") -> "list[dict]":
    """For each `{"user": n, "most": m}` the best items, their ratings, the model's version."""
    return [recommend(request["user"], request.get("most", 5)) for request in requests]


def recommend(user: int, most: int) -> dict:
    if serving is None:
        return {"version": None, "items": []}
    version, model = serving
    known = 0 <= user < len(model["users"])
    scores = model["items"] @ model["users"][user] if known else model["items"].mean(axis=1) * 0
    best = np.argsort(-scores, kind="stable")[:most]
    mean = float(model["mean"])
    items = [{"item": int(item), "rating": round(mean + float(scores[item]), 3)} for item in best]
    return {"version": version, "items": items}
