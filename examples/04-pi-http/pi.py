"""Pi by darts: slow on purpose, for it is asked for by people who wait."""

import random


def estimate(requests: "list[dict]") -> "list[float]":
    """For each request `{"points": n, "seed": s}` an estimate by n points."""
    return [one_estimate(request["points"], request["seed"]) for request in requests]


def one_estimate(points: int, seed: int) -> float:
    draw = random.Random(seed).random
    inside = sum(1 for _ in range(points) if draw() ** 2 + draw() ** 2 <= 1.0)
    return 4.0 * inside / points
