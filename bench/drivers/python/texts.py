"""The handler of a case with a batch as one JSON text, for packages that carry lists slowly."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from payload import load

_handle: Any = None
_decode = json.JSONDecoder().decode
_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def prepare(folder: str, module: str, function: str, init: str) -> None:
    global _handle
    _handle = load(folder, module, function, init)


def call_text(text: str) -> str:
    return _encode(_handle(_decode(text)))
