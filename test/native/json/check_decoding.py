"""Text from JavaScript to Python values."""

from __future__ import annotations

import json
import math
import random
import re
import sys
import time

from json_codec import SECONDS, decode
from random_values import random_value
from support import MAX_DEPTH, BigInt, as_utf16, decode_both, decode_error, joined, same


def check_decode_values():
    for text, value in [
        ("null", None),
        ("true", True),
        (" false ", False),
        ("0", 0),
        ("-0", 0),
        ("-0.0", -0.0),
        ("-7", -7),
        ("9007199254740993", 9007199254740993),
        ("999999999999999999", 999999999999999999),
        ("-9223372036854775808", -(2**63)),
        ("18446744073709551616", 2**64),
        ("1" + "0" * 400, 10**400),
        ("1.0", 1.0),
        ("1e3", 1000.0),
        ("5e-324", 5e-324),
        ("1E+2", 100.0),
        ("1.7976931348623157e308", sys.float_info.max),
        ("1e999", math.inf),
        ("-1e999", -math.inf),
        ("1e-999", 0.0),
        ("-1e-999", -0.0),
        ("0.1000000000000000055511151231257827021181583404541015625", 0.1),
        ("NaN", math.nan),
        ("Infinity", math.inf),
        ("-Infinity", -math.inf),
        ("12n", BigInt(12)),
        ("-12n", BigInt(-12)),
        ("0n", BigInt(0)),
        ('""', ""),
        ('"\\ud800"', "\ud800"),
        ('"\\udc00\\ud800x"', "\udc00\ud800x"),
        ('"\\ud83d\\ude00"', "\U0001f600"),
        ('"\U0001f600\xe9\u20ac"', "\U0001f600\xe9\u20ac"),
        ('"\ud800"', "\ud800"),
        ('"a\\u0000b\\/\\b\\f\\n\\r\\t\\\\\\""', 'a\0b/\b\f\n\r\t\\"'),
        ('"\x7f\x80\xff"', "\x7f\x80\xff"),
        ("[]", []),
        ("[ ]", []),
        ("{}", {}),
        ("{ }", {}),
        ('\t{ "a" : [ 1 , 2 ] , "b" : { } }\r\n', {"a": [1, 2], "b": {}}),
        ('{"a":1,"a":2}', {"a": 2}),
        (
            '{"":1,"\\u0061":2,"\u20ac":3,"\U0001f600":4,"\\ud800":5}',
            {"": 1, "a": 2, "€": 3, "😀": 4, "\ud800": 5},
        ),
    ]:
        assert same(decode_both(text), value), (text, decode_both(text))
    assert decode_both("[1,[2]]", True) == [1, [2]]
    for digits in (599, 601, 1300, 5000, 20001):
        number = 7 * 10**digits + 3
        text = "7" + "0" * (digits - 1) + "3"
        assert decode_both(text) == number and decode_both("-" + text) == -number
        assert same(decode_both("-" + text + "n"), BigInt(-number))


def check_decode_errors():
    for text, position in [
        ("", 0),
        (" ", 1),
        ("[", 1),
        ("[1", 2),
        ("[1,", 3),
        ("[1,]", 3),
        ("[1 2]", 3),
        ("{", 1),
        ('{"a"', 4),
        ('{"a":', 5),
        ('{"a":1', 6),
        ('{"a":1,', 7),
        ('{"a":1,}', 7),
        ("{1:2}", 1),
        ('{"a" 1}', 5),
        ('"', 1),
        ('"abc', 4),
        ('"\\', 1),
        ('"\\"', 3),
        ('"\\x"', 1),
        ('"\\u12"', 1),
        ('"\\u12g4"', 1),
        ('"a\nb"', 2),
        ("nul", 0),
        ("tru", 0),
        ("falsy", 0),
        ("-", 1),
        ("-Inf", 1),
        ("Nan", 0),
        ("01", 1),
        ("1.", 2),
        ("1.e2", 2),
        ("1e", 2),
        ("1e+", 3),
        (".5", 0),
        ("+1", 0),
        ("1.5n", 3),
        ("1 1", 2),
        ("]", 0),
        ("}", 0),
        ("'a'", 0),
        ("\ufeff1", 0),
    ]:
        decode_error(text, f"at character {position}:")
    decode_error('{"a":1}', "a list was expected", batch=True)
    deep = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    for wide in (False, True):
        value = decode(deep, wide, False)
        for _ in range(MAX_DEPTH - 1):
            (value,) = value
        assert value == []
    decode("[" + deep + "]", False, True)
    decode_error("[" + deep + "]", "512 levels")
    decode_error("[[" + deep + "]]", "512 levels", batch=True)
    decode_error('{"a":' * (MAX_DEPTH + 1), "512 levels")
    decode_error("[" * 100000, "512 levels")


def check_key_cache():
    # Many shapes, more keys than the cache holds, keys beyond its width, texts long and short.
    shuffled = random.Random(5)
    keys = ["k" * n + str(n) for n in range(1, 90)] + [f"name{n}" for n in range(3000)]
    for _ in range(200):
        records = []
        for _ in range(shuffled.randint(1, 20)):
            names = shuffled.sample(keys, shuffled.randint(0, 30))
            records.append(
                {
                    name: shuffled.choice([1, "text", {"in": [{"ner": name}]}, [], "x" * 40])
                    for name in names
                }
            )
        text = json.dumps(records, separators=(",", ":"))
        assert same(decode_both(text, True), records)
        assert same(decode_both(json.dumps(records)), records)
    # Memory of an earlier text must not complete a shorter one.
    decode('{"abcdefgh":1,"ijklmnop":2}', False, False)
    decode('{"abcdefgh":1,"ijklmnop":2}', False, False)
    for end in range(26):
        decode_error('{"abcdefgh":1,"ijklmnop":2}'[:end])
    # A key that keeps coming is the interned one.
    for _ in range(20):
        (record,) = decode('[{"interned_key_name":1}]', False, False)
    assert next(iter(record)) is sys.intern("".join(["interned_", "key_name"]))


def check_decode_differently_from_nobody():
    """Damaged text is refused, or read, exactly as Python's json module does it."""
    chance = random.Random(7)
    alphabet = '{}[]",:\\u0019dD8eE+-.tfnNI \n\x00\x1f\x7f\xe9\u20ac\ud83d\ude00'
    until = time.monotonic() + SECONDS
    count = 0
    while time.monotonic() < until or count < 200:
        count += 1
        text = json.dumps(random_value(chance, 3), ensure_ascii=chance.random() < 0.5)
        for _ in range(chance.randint(0, 3)):
            where = chance.randint(0, len(text))
            text = (
                text[:where]
                + chance.choice(["", chance.choice(alphabet)])
                + text[where + chance.randint(0, 2) :]
            )
        if re.search(r"[0-9]n", text) or re.search(r"[0-9]{400}", text):
            continue
        text = joined(text)
        try:
            expected = as_utf16(json.loads(text))
        except (ValueError, RecursionError):
            expected = ValueError
        try:
            got = decode_both(text)
        except ValueError:
            got = ValueError
        assert got is expected or same(got, expected), (text, got, expected)
