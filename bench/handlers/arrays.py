"""Handlers that do next to nothing with arrays: what remains is the hop."""

from __future__ import annotations

import numpy as np

MARK = 42.0

_kept: dict[int, np.ndarray] = {}


def take(array: np.ndarray) -> np.ndarray:
    """Returns the first and the last element."""
    return array[[0, -1]]


def swap(array: np.ndarray) -> np.ndarray:
    """Returns the first element and puts the mark in its place."""
    first = array[:1].copy()
    array[0] = MARK
    return first


def change(array: np.ndarray) -> np.ndarray:
    """Puts the mark in the first place and returns the same memory."""
    array[0] = MARK
    return array


def give(lengths: np.ndarray) -> np.ndarray:
    """Returns an array of that length, each time the same one."""
    length = int(lengths[0])
    if length not in _kept:
        _kept[length] = np.ones(length)
    return _kept[length]


def exchange(lengths: np.ndarray) -> np.ndarray:
    """Does to an array that give() returned what swap() does to its own."""
    return swap(_kept[int(lengths[0])])
