"""Pi by the points of a square that lie within the quarter of a circle: one point at a time."""


def handle(points: "list[str]") -> "list[str]":
    """For each point `x,y` what it adds to the estimate: 4 within the circle, else 0."""
    results = []
    for point in points:
        x, y = map(float, point.split(","))
        results.append("4" if x * x + y * y <= 1.0 else "0")
    return results
