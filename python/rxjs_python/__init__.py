"""What handlers may import from rxjs-python.

``host``: calls functions of the JavaScript program (``from rxjs_python import host``).
``Columns``, ``StringColumn``: a batch of codec 'columns', and the text in it.
``BigInt``: a JavaScript BigInt arrives as one, and a ``BigInt`` in a result goes back as one.
``KeyedState``: a value for each key, with a time to live and a limit to the number of keys.
``Interrupted``: raised inside a handler whose call was aborted or timed out.
The error classes are those that the caller in JavaScript sees when a result cannot be used.
"""

from __future__ import annotations

from ._columns import Columns, StringColumn
from ._errors import (
    HandlerError,
    Interrupted,
    ResultEncodeError,
    ResultError,
    ResultLengthError,
    ResultTypeError,
)
from ._state import KeyedState, StateFullError
from ._types import BigInt

__all__ = [
    "BigInt",
    "Columns",
    "HandlerError",
    "Interrupted",
    "KeyedState",
    "ResultEncodeError",
    "ResultError",
    "ResultLengthError",
    "ResultTypeError",
    "StateFullError",
    "StringColumn",
]
