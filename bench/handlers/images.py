"""An edge filter on grey frames of 640 by 480: bytes in, an array of bytes out."""

from __future__ import annotations

from typing import Any

import numpy as np

HEIGHT, WIDTH = 480, 640


def handle(frames: list[Any]) -> list[np.ndarray]:
    return [_edges(np.frombuffer(frame, dtype=np.uint8).reshape(HEIGHT, WIDTH)) for frame in frames]


def _edges(frame: np.ndarray) -> np.ndarray:
    """How much a pixel differs from its right and its lower neighbour, 255 at most."""
    pixels = frame.astype(np.int16)
    edges = np.zeros((HEIGHT, WIDTH), dtype=np.int16)
    edges[:, :-1] += np.abs(np.diff(pixels, axis=1))
    edges[:-1, :] += np.abs(np.diff(pixels, axis=0))
    return np.minimum(edges, 255).astype(np.uint8)
