"""What a case's handler takes and gives, for ways to Python that carry less than that."""

from __future__ import annotations

import base64
import importlib
import sys
from typing import Any, Callable

Handle = Callable[[Any], Any]


def load(folder: str, module: str, function: str, init: str) -> Handle:
    """Imports the handler and readies it."""
    sys.path.insert(0, folder)
    loaded = importlib.import_module(module)
    if init:
        getattr(loaded, init)()
    handle: Handle = getattr(loaded, function)
    return handle


def over_bytes(handle: Handle, payload: str) -> Handle:
    """The handler with bytes for arrays and frames, in and out."""
    if payload == "array":
        import numpy as np

        return lambda batch: handle(np.frombuffer(batch)).tobytes()
    if payload == "frames":
        return lambda batch: [frame.tobytes() for frame in handle(batch)]
    return handle


def over_text(handle: Handle, payload: str) -> Handle:
    """The handler with values that JSON can carry."""
    with_bytes = over_bytes(handle, payload)
    if payload == "array":
        return lambda batch: _text(with_bytes(base64.b64decode(batch)))
    if payload == "frames":
        return lambda batch: [
            _text(frame) for frame in with_bytes([base64.b64decode(frame) for frame in batch])
        ]
    return handle


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
