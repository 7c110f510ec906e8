"""What the checks compare with; json_codec is what json_test.cc offers."""

from __future__ import annotations

import json
import math
import re
import sys

from json_codec import decode, encode, use

MAX_DEPTH = 512


class BigInt(int):
    """What rxjs_python.BigInt is: a JavaScript BigInt."""


class EncodeError(Exception):
    """What rxjs_python raises for a value that cannot be encoded."""


class Custom:
    def __init__(self, action):
        self.action = action


def json_default(value):
    if isinstance(value, Custom):
        return value.action()
    raise EncodeError(f"cannot encode a value of type {type(value).__name__}; return a list")


sys.setrecursionlimit(5000)  # same() and revive() recurse in Python
use(BigInt, json_default, EncodeError)


def decode_both(text, batch=False):
    """Decode in one byte a unit (where possible) and in two; both must agree."""
    narrow = decode(text, False, batch)
    wide = decode(text, True, batch)
    assert same(narrow, wide), (text, narrow, wide)
    # One unit that needs two bytes keeps the decoder from narrowing the text.
    really_wide = decode('["\u20ac",' + text + "]", True, False)[1] if not batch else narrow
    assert same(narrow, really_wide), (text, narrow, really_wide)
    return narrow


def same(a, b):
    """Equal in type, sign of zero, NaN and order of keys."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return repr(a) == repr(b)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    return a == b


def joined(text):
    """The str that JavaScript's UTF-16 makes of a str: surrogate pairs become one character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def as_utf16(value):
    if isinstance(value, str):
        return joined(value)
    if isinstance(value, list):
        return [as_utf16(item) for item in value]
    if isinstance(value, dict):
        return {joined(k): as_utf16(v) for k, v in value.items()}
    return value


def revive(value):
    """What the JavaScript side does with strings that start with U+0000."""
    if isinstance(value, str) and value.startswith("\0"):
        mark, rest = value[1:2], value[2:]
        if mark == "\0":
            return value[1:]
        if mark == "b":
            assert re.fullmatch(r"-?[0-9]+", rest), rest
            return BigInt(read_digits(rest))
        return {"N": math.nan, "I": math.inf, "J": -math.inf}[mark]
    if isinstance(value, list):
        return [revive(item) for item in value]
    if isinstance(value, dict):
        return {key: revive(item) for key, item in value.items()}
    return value


def read_digits(digits):
    return decode(digits, False, False) if len(digits) > 4000 else int(digits)


def back(value, batch=False):
    """encode() and then what JavaScript reads."""
    text, specials, narrow = encode(value, batch)
    assert narrow == (max(map(ord, text)) <= 0xFF), text
    assert re.search(r"[\x00-\x1f]", text) is None
    joined(text).encode("utf-16")  # no raw lone surrogate, only escapes; pairs are whole
    parsed = json.loads(joined(text))
    assert specials == marked(parsed), text
    return revive(parsed) if specials else parsed


def marked(value):
    """Whether a string value, not a key, starts with U+0000."""
    if isinstance(value, dict):
        return any(map(marked, value.values()))
    if isinstance(value, list):
        return any(map(marked, value))
    return isinstance(value, str) and value.startswith("\0")


def numbers_as_javascript(value):
    """The value after a trip through JavaScript: whole floats are ints there."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str):
        return joined(value)
    if isinstance(value, BigInt):
        return BigInt(value)
    if isinstance(value, int):
        value = int(value)
        return value if abs(value) < 2**53 else BigInt(value)
    if isinstance(value, (list, tuple)):
        return [numbers_as_javascript(item) for item in value]
    if isinstance(value, dict):
        return {joined(str(k)): numbers_as_javascript(v) for k, v in value.items()}
    return value


def alike(a, b):
    """As JavaScript compares: 1 and 1.0 are one number; -0.0 is not 0."""
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        if isinstance(a, bool) or isinstance(b, bool) or BigInt in (type(a), type(b)):
            return type(a) is type(b) and a == b
        if math.isnan(a) or math.isnan(b):
            return math.isnan(a) and math.isnan(b)
        return a == b and math.copysign(1, a) == math.copysign(1, b)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(alike(a[k], b[k]) for k in a)
    return type(a) is type(b) and a == b


def raises(kind, function, *parts):
    try:
        result = function()
    except kind as error:
        for part in parts:
            assert part in str(error), (part, str(error))
        return error
    raise AssertionError(f"{kind.__name__} was expected, not {result!r:.200}")


def encode_error(value, *parts, batch=False):
    return raises(EncodeError, lambda: encode(value, batch), *parts)


def decode_error(text, *parts, batch=False):
    for wide in (False, True):
        raises(ValueError, lambda wide=wide: decode(text, wide, batch), *parts)
