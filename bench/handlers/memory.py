"""Handlers of each codec that return something new from each call."""

from __future__ import annotations

from typing import Any

import numpy as np


def handle_string(batch: list[str]) -> list[str]:
    return [text + "." for text in batch]


def handle_json(batch: list[Any]) -> list[Any]:
    return [{"item": item} for item in batch]


def handle_buffer(batch: list[memoryview]) -> list[bytes]:
    return [bytes(view) for view in batch]


def handle_array(array: np.ndarray) -> np.ndarray:
    return array * 2
