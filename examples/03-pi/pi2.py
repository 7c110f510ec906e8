"""Pi by the mean height of the quarter of a circle: a whole batch at once, with numpy."""

import numpy as np


def handle(points: "list[str]") -> "list[str]":
    """For each point `x,y` what it adds to the estimate: four times the circle's height at x."""
    x = np.array([point.partition(",")[0] for point in points], dtype=np.float64)
    heights = 4.0 * np.sqrt(1.0 - x * x)
    return [repr(height) for height in heights.tolist()]
