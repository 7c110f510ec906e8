"""Python values to text for JavaScript."""

from __future__ import annotations

import collections
import enum
import gc
import json
import math
import string

from json_codec import encode
from support import MAX_DEPTH, BigInt, Custom, EncodeError, back, encode_error, raises


def check_encode_values():
    class Text(str):
        pass

    class Color(enum.IntEnum):
        RED = 3

    class Loud(int):
        def __str__(self):
            return "loud"

        __repr__ = __abs__ = __index__ = __str__

    class Real(float):
        def __repr__(self):
            return "real"

        def __float__(self):
            return 9.0

    Point = collections.namedtuple("Point", "x y")
    ordered = collections.OrderedDict(a=1, b=2)
    ordered.move_to_end("a")

    class Items(dict):
        def items(self):
            return [("shown", 1)]

    for value, text in [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-5, "-5"),
        (2**53 - 1, "9007199254740991"),
        (-(2**53) + 1, "-9007199254740991"),
        (2**53, '"\\u0000b9007199254740992"'),
        (-(2**80), f'"\\u0000b-{2**80}"'),
        (BigInt(3), '"\\u0000b3"'),
        (BigInt(-(2**70)), f'"\\u0000b-{2**70}"'),
        (0.0, "0"),
        (-0.0, "-0.0"),
        (1.5, "1.5"),
        (math.nan, '"\\u0000N"'),
        (math.inf, '"\\u0000I"'),
        (-math.inf, '"\\u0000J"'),
        ("", '""'),
        ("a\0", '"a\\u0000"'),
        ("\0", '"\\u0000\\u0000"'),
        ("\0\0N", '"\\u0000\\u0000\\u0000N"'),
        ("\0\u20ac", '"\\u0000\\u0000\u20ac"'),
        ('"\\/\b\f\n\r\t\x1f\x7f', '"\\"\\\\/\\b\\f\\n\\r\\t\\u001f\x7f"'),
        ("\xe9\xff", '"\xe9\xff"'),
        ("\ud800", '"\\ud800"'),
        ("\u20ac\udfff", '"\u20ac\\udfff"'),
        ("\U0001f600", '"\ud83d\ude00"'),
        ([], "[]"),
        ((), "[]"),
        ({}, "{}"),
        ([[], {}, ()], "[[],{},[]]"),
        ({"a": {}}, '{"a":{}}'),
        ({"\0k": "v"}, '{"\\u0000k":"v"}'),
        (Text("t"), '"t"'),
        (Text("\xe9\u20ac"), '"\xe9\u20ac"'),
        (Color.RED, "3"),
        (Loud(7), "7"),
        (Loud(2**60), f'"\\u0000b{2**60}"'),
        (Real(2.5), "2.5"),
        (Point(1, 2), "[1,2]"),
        (ordered, '{"b":2,"a":1}'),
        (collections.Counter("aab"), '{"a":2,"b":1}'),
        (Items(hidden=2), '{"shown":1}'),
        ({Text("k"): 1}, '{"k":1}'),
        (Custom(lambda: [Custom(lambda: 1)]), "[1]"),
        (type("L", (list,), {})([1]), "[1]"),
    ]:
        for _ in range(2):  # the second time from the caches
            got = encode(value, False)[0]
            assert got == text, (value, got, text)
        wide = encode(["\u20ac", value], False)[0]
        assert wide == '["\u20ac",' + text + "]", (value, wide)
    for digits in (599, 601, 4299, 4301, 20001):
        for sign in (1, -1):
            number = sign * (7 * 10**digits + 3)
            text = encode(number, False)[0]
            assert text == '"\\u0000b' + "-" * (sign < 0) + "7" + "0" * (digits - 1) + '3"'
    for size in range(40):  # every way through the copying of plain text
        for bad in range(size):
            text = string.ascii_letters[:size][:bad] + '"' + string.ascii_letters[bad + 1 : size]
            assert json.loads(encode(text, False)[0]) == text
        text = string.ascii_letters[:size]
        assert encode({text: text}, False)[0] == f'{{"{text}":"{text}"}}'
    assert encode([1, {"a": None}], True)[0] == '[1,{"a":null}]'
    assert encode([], True)[0] == "[]"


def check_encode_errors():
    error = encode_error(
        [1, 2, 3, {"users": [{"id": {1}}]}],
        "result 3, at .users[0].id: cannot encode a value of type set",
        batch=True,
    )
    assert error.path == ".users[0].id" and error.__rxp_item__ == 3
    error = encode_error({"a b": ({1},)}, 'at ["a b"][0]: cannot encode a value of type set')
    assert error.path == '["a b"][0]' and not hasattr(error, "__rxp_item__")
    encode_error([{1}], "result 0: cannot encode", batch=True)
    encode_error({1}, "cannot encode a value of type set")
    encode_error({"a": {3: 1}}, "at .a: cannot encode the dict key 3 of type int; keys must be str")
    encode_error({"\ud800": {1}}, 'at ["\\ud800"]')
    encode_error({"é" * 50: {1}}, "é…")

    def fail():
        try:
            raise KeyError("k")
        except KeyError as error:
            raise EncodeError("") from error

    error = encode_error([Custom(fail)], "[0]: cannot encode this value")
    assert isinstance(error.__cause__, KeyError) and error.__traceback__ is not None

    def other():
        raise LookupError("mine")

    error = raises(LookupError, lambda: encode([0, {"a": Custom(other)}], True), "mine")
    assert error.__rxp_item__ == 1

    deep = []
    for _ in range(MAX_DEPTH - 1):
        deep = [deep]
    text = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert encode(deep, False)[0] == text
    assert encode([deep], True)[0] == "[" + text + "]"
    encode_error([deep], "at [0][0][0]", "…: nested more than 512 levels")
    for make in (lambda x: x.append(x), lambda x: x.append({"a": (x,)})):
        cycle = []
        make(cycle)
        encode_error(cycle, "or contains itself")
    cycle = {}
    cycle["me"] = cycle
    encode_error(cycle, ".me.me", "or contains itself")
    ring = collections.OrderedDict()
    ring["me"] = ring
    encode_error(ring, "or contains itself")
    endless = Custom(lambda: endless)
    encode_error(endless, "512 levels")


def check_values_that_change():
    def during(change):
        return Custom(lambda: change() and None)

    for count in (2, 50):
        target = {}
        target.update({f"k{i}": during(target.clear) if i == 1 else [i] for i in range(count)})
        encode_error({"in": target}, "at .in: this dict changed its size")
        target = []
        target.extend(during(target.clear) if i == 0 else [i] for i in range(count))
        encode_error(target, "this list changed its size")
        target = []
        target.extend(during(lambda t=target: t.append(1)) if i == 0 else [i] for i in range(count))
        encode_error(target, "this list changed its size")
        batch = []
        batch.extend(during(batch.clear) if i == 0 else [i] for i in range(count))
        encode_error(batch, "result 1: this list changed its size", batch=True)

    def swap():
        for key in list(target):
            target[key] = "new " * 3
        gc.collect()

    target = {f"k{i}": [during(swap)] if i == 0 else [i] for i in range(30)}
    assert back(target)["k29"] == "new new new "

    def grow():
        for i in range(5000):
            target[f"more{i}"] = i

    target = {"a": Custom(grow), "b": [1]}
    encode_error(target, "changed its size")


def check_keys_by_address():
    # Keys that live shortly must not be taken for later ones at the same address.
    for round_ in range(3000):
        key = "".join(["key", str(round_)])
        assert encode({key: 1}, False)[0] == f'{{"{key}":1}}'
        key = "".join(["\u20ac", str(round_ % 7)])
        assert encode({key: 1}, False)[0] == f'{{"{key}":1}}'
