"""The checks of json_test.cc, which provides decode(), encode(), use() and `seconds`."""

from __future__ import annotations

import collections
import enum
import gc
import json
import math
import random
import re
import string
import sys
import time

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
use(BigInt, json_default, EncodeError)  # noqa: F821


def decode_both(text, batch=False):
    """Decode in one byte a unit (where possible) and in two; both must agree."""
    narrow = decode(text, False, batch)  # noqa: F821
    wide = decode(text, True, batch)  # noqa: F821
    assert same(narrow, wide), (text, narrow, wide)
    # One unit that needs two bytes keeps the decoder from narrowing the text.
    really_wide = decode('["\u20ac",' + text + "]", True, False)[1] if not batch else narrow  # noqa: F821
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
    return decode(digits, False, False) if len(digits) > 4000 else int(digits)  # noqa: F821


def back(value, batch=False):
    """encode() and then what JavaScript reads."""
    text, specials, narrow = encode(value, batch)  # noqa: F821
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
    return raises(EncodeError, lambda: encode(value, batch), *parts)  # noqa: F821


def decode_error(text, *parts, batch=False):
    for wide in (False, True):
        raises(ValueError, lambda: decode(text, wide, batch), *parts)  # noqa: B023, F821


# --- Decoding


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
        ('{"":1,"\\u0061":2,"\u20ac":3,"\U0001f600":4,"\\ud800":5}', {"": 1, "a": 2, "€": 3, "😀": 4, "\ud800": 5}),
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
        ("", 0), (" ", 1), ("[", 1), ("[1", 2), ("[1,", 3), ("[1,]", 3), ("[1 2]", 3), ("{", 1),
        ('{"a"', 4), ('{"a":', 5), ('{"a":1', 6), ('{"a":1,', 7), ('{"a":1,}', 7), ("{1:2}", 1), ('{"a" 1}', 5),
        ('"', 1), ('"abc', 4), ('"\\', 1), ('"\\"', 3), ('"\\x"', 1), ('"\\u12"', 1), ('"\\u12g4"', 1), ('"a\nb"', 2),
        ("nul", 0), ("tru", 0), ("falsy", 0), ("-", 1), ("-Inf", 1), ("Nan", 0), ("01", 1), ("1.", 2), ("1.e2", 2),
        ("1e", 2), ("1e+", 3), (".5", 0), ("+1", 0), ("1.5n", 3), ("1 1", 2), ("]", 0), ("}", 0), ("'a'", 0), ("\ufeff1", 0),
    ]:  # fmt: skip
        decode_error(text, f"at character {position}:")
    decode_error('{"a":1}', "a list was expected", batch=True)
    deep = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    value = decode_both(deep[1:-1])
    for _ in range(MAX_DEPTH - 2):
        (value,) = value
    assert value == []
    decode(deep, False, False)  # noqa: F821
    decode("[" + deep + "]", False, True)  # noqa: F821
    decode_error("[" + deep + "]", "512 levels")
    decode_error("[[" + deep + "]]", "512 levels", batch=True)
    decode_error('{"a":' * (MAX_DEPTH + 1), "512 levels")
    decode_error("[" * 100000, "512 levels")


def check_key_cache():
    # Many shapes and more keys than the cache holds, in texts long and short; keys beyond its width.
    shuffled = random.Random(5)
    keys = ["k" * n + str(n) for n in range(1, 90)] + [f"name{n}" for n in range(3000)]
    for _ in range(200):
        records = []
        for _ in range(shuffled.randint(1, 20)):
            names = shuffled.sample(keys, shuffled.randint(0, 30))
            records.append({name: shuffled.choice([1, "text", {"in": [{"ner": name}]}, [], "x" * 40]) for name in names})
        text = json.dumps(records, separators=(",", ":"))
        assert same(decode_both(text, True), records)
        assert same(decode_both(json.dumps(records)), records)
    # Memory of an earlier text must not complete a shorter one.
    decode('{"abcdefgh":1,"ijklmnop":2}', False, False)  # noqa: F821
    decode('{"abcdefgh":1,"ijklmnop":2}', False, False)  # noqa: F821
    for end in range(26):
        decode_error('{"abcdefgh":1,"ijklmnop":2}'[:end])
    # A key that keeps coming is the interned one.
    for _ in range(20):
        (record,) = decode('[{"interned_key_name":1}]', False, False)  # noqa: F821
    assert next(iter(record)) is sys.intern("".join(["interned_", "key_name"]))


def check_decode_differently_from_nobody():
    """Damaged text is refused, or read, exactly as Python's json module does it."""
    chance = random.Random(7)
    alphabet = '{}[]",:\\u0019dD8eE+-.tfnNI \n\x00\x1f\x7f\xe9\u20ac\ud83d\ude00'
    until = time.monotonic() + float(seconds)  # noqa: F821
    count = 0
    while time.monotonic() < until or count < 200:
        count += 1
        text = json.dumps(random_value(chance, 3), ensure_ascii=chance.random() < 0.5)
        for _ in range(chance.randint(0, 3)):
            where = chance.randint(0, len(text))
            text = text[:where] + chance.choice(["", chance.choice(alphabet)]) + text[where + chance.randint(0, 2) :]
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


# --- Encoding


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
        (None, "null"), (True, "true"), (False, "false"), (0, "0"), (-5, "-5"), (2**53 - 1, "9007199254740991"),
        (-(2**53) + 1, "-9007199254740991"), (2**53, '"\\u0000b9007199254740992"'), (-(2**80), f'"\\u0000b-{2**80}"'),
        (BigInt(3), '"\\u0000b3"'), (BigInt(-(2**70)), f'"\\u0000b-{2**70}"'), (0.0, "0"), (-0.0, "-0.0"), (1.5, "1.5"),
        (math.nan, '"\\u0000N"'), (math.inf, '"\\u0000I"'), (-math.inf, '"\\u0000J"'), ("", '""'), ("a\0", '"a\\u0000"'),
        ("\0", '"\\u0000\\u0000"'), ("\0\0N", '"\\u0000\\u0000\\u0000N"'), ("\0\u20ac", '"\\u0000\\u0000\u20ac"'),
        ('"\\/\b\f\n\r\t\x1f\x7f', '"\\"\\\\/\\b\\f\\n\\r\\t\\u001f\x7f"'), ("\xe9\xff", '"\xe9\xff"'), ("\ud800", '"\\ud800"'),
        ("\u20ac\udfff", '"\u20ac\\udfff"'), ("\U0001f600", '"\ud83d\ude00"'), ([], "[]"), ((), "[]"), ({}, "{}"),
        ([[], {}, ()], "[[],{},[]]"), ({"a": {}}, '{"a":{}}'), ({"\0k": "v"}, '{"\\u0000k":"v"}'), (Text("t"), '"t"'),
        (Text("\xe9\u20ac"), '"\xe9\u20ac"'), (Color.RED, "3"), (Loud(7), "7"), (Loud(2**60), f'"\\u0000b{2**60}"'),
        (Real(2.5), "2.5"), (Point(1, 2), "[1,2]"), (ordered, '{"b":2,"a":1}'), (collections.Counter("aab"), '{"a":2,"b":1}'),
        (Items(hidden=2), '{"shown":1}'), ({Text("k"): 1}, '{"k":1}'), (Custom(lambda: [Custom(lambda: 1)]), "[1]"),
        (type("L", (list,), {})([1]), "[1]"),
    ]:  # fmt: skip
        for _ in range(2):  # the second time from the caches
            got = encode(value, False)[0]  # noqa: F821
            assert got == text, (value, got, text)
        wide = encode(["\u20ac", value], False)[0]  # noqa: F821
        assert wide == '["\u20ac",' + text + "]", (value, wide)
    for digits in (599, 601, 4299, 4301, 20001):
        for sign in (1, -1):
            number = sign * (7 * 10**digits + 3)
            text = encode(number, False)[0]  # noqa: F821
            assert text == '"\\u0000b' + "-" * (sign < 0) + "7" + "0" * (digits - 1) + '3"'
    for size in range(40):  # every way through the copying of plain text
        for bad in range(size):
            text = string.ascii_letters[:size][:bad] + '"' + string.ascii_letters[bad + 1 : size]
            assert json.loads(encode(text, False)[0]) == text  # noqa: F821
        text = string.ascii_letters[:size]
        assert encode({text: text}, False)[0] == f'{{"{text}":"{text}"}}'  # noqa: F821
    assert encode([1, {"a": None}], True)[0] == '[1,{"a":null}]'  # noqa: F821
    assert encode([], True)[0] == "[]"  # noqa: F821


def check_encode_errors():
    error = encode_error([1, 2, 3, {"users": [{"id": {1}}]}], "result 3, at .users[0].id: cannot encode a value of type set", batch=True)
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

    error = raises(LookupError, lambda: encode([0, {"a": Custom(other)}], True), "mine")  # noqa: F821
    assert error.__rxp_item__ == 1

    deep = []
    for _ in range(MAX_DEPTH - 1):
        deep = [deep]
    text = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert encode(deep, False)[0] == text  # noqa: F821
    assert encode([deep], True)[0] == "[" + text + "]"  # noqa: F821
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
        assert encode({key: 1}, False)[0] == f'{{"{key}":1}}'  # noqa: F821
        key = "".join(["\u20ac", str(round_ % 7)])
        assert encode({key: 1}, False)[0] == f'{{"{key}":1}}'  # noqa: F821


def check_every_text():
    for first in range(0, 0x11000, 97):
        text = "".join(map(chr, range(first, min(first + 97, 0x10FFFF))))
        assert back(text) == joined(text)
        assert back({text: [text]}) == {joined(text): [joined(text)]}
        assert decode_both(json.dumps(text)) == text or any("\ud800" <= c <= "\udfff" for c in text)
        # Non-ASCII text must not leave a copy in UTF-8 behind in its str.
        if first > 0xFF:
            size = sys.getsizeof(text)
            encode(text, False)  # noqa: F821
            assert sys.getsizeof(text) == size


# --- Both ways


def random_text(chance):
    kind = chance.random()
    size = chance.choice([0, 1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 23, 24, 25, 31, 32, 33, 40, 70, 300])
    if kind < 0.4:
        return "".join(chance.choices(string.ascii_letters + " ", k=size))
    if kind < 0.6:
        return chance.choice(["Private", "Never-married", "White", "United-States", "", "\0", "é"])
    if kind < 0.8:
        return "".join(chance.choices("ab\"\\/\n\x00\x1f\x7f\xe9\xff", k=size))
    return "".join(chance.choices("a\"\\\n\xe9\u0100\u20ac\uffff\ud800\udbff\udc00\udfff\U0001f600\U0010ffff", k=size))


def random_number(chance):
    kind = chance.randrange(7)
    if kind == 0:
        return chance.randint(-10, 300)
    if kind == 1:
        return chance.randint(-(2**54), 2**54)
    if kind == 2:
        return chance.choice([1, -1]) * chance.getrandbits(chance.choice([30, 53, 62, 63, 64, 65, 200, 3000]))
    if kind == 3:
        return float(chance.randint(-1000, 1000))
    if kind == 4:
        return chance.uniform(-1, 1) * 10.0 ** chance.randint(-320, 308)
    if kind == 5:
        return chance.choice([math.nan, math.inf, -math.inf, -0.0, 0.0, 5e-324, 2.0**53, 1e22, 1e21, 123456789012345680.0])
    return math.ldexp(chance.random(), chance.randint(-1080, 1024))


def random_value(chance, depth):
    kind = chance.randrange(8 if depth > 0 else 5)
    if kind == 0:
        return chance.choice([None, True, False])
    if kind <= 2:
        return random_number(chance)
    if kind <= 4:
        return random_text(chance)
    if kind == 5:
        return [random_value(chance, depth - 1) for _ in range(chance.choice([0, 1, 2, 5, 12]))]
    if kind == 6:
        names = [chance.choice(["id", "name", "age", random_text(chance)]) for _ in range(chance.choice([0, 1, 3, 14]))]
        return {name: random_value(chance, depth - 1) for name in names}
    names = ["age", "workclass", "fnlwgt", "native-country"]
    return [{name: random_value(chance, 0) for name in names} for _ in range(chance.choice([2, 6]))]


def check_random_values():
    chance = random.Random(11)
    until = time.monotonic() + float(seconds)  # noqa: F821
    count = 0
    while time.monotonic() < until or count < 200:
        count += 1
        value = [random_value(chance, 4) for _ in range(3)]
        got = back(value, count % 2 == 0)
        assert alike(got, numbers_as_javascript(value)), (value, got)
        text = joined(json.dumps(value, ensure_ascii=count % 3 == 0, separators=(",", ":") if count % 5 else None))
        assert same(decode_both(text, True), as_utf16(json.loads(text))), value


def check_nothing_leaks():
    """Neither reading nor writing, good or failing, keeps objects beyond the bounded caches."""
    record = {"a": ["text", 1.5, {"b": "\u20ac"}], "c": 2**70, "d": "x" * 100}
    text = json.dumps([record] * 5)
    marks = [object() for _ in range(3)]
    bad = {"deep": [{"er": marks[0]}]}

    def work():
        decode(text, False, False)  # noqa: F821
        encode([record] * 5, True)  # noqa: F821
        for broken in (text[:-7], text[: len(text) // 2], '{"a":[1,{"b":"' + "y" * 50 + '"},x]}'):
            try:
                decode(broken, False, False)  # noqa: F821
            except ValueError:
                pass
        try:
            encode([bad], True)  # noqa: F821
        except EncodeError:
            pass

    for _ in range(20):
        work()
    gc.collect()
    blocks, held = sys.getallocatedblocks(), sys.getrefcount(marks[0])
    for _ in range(500):
        work()
    gc.collect()
    assert sys.getrefcount(marks[0]) == held
    assert sys.getallocatedblocks() - blocks < 200, sys.getallocatedblocks() - blocks


for name, check in list(globals().items()):
    if name.startswith("check_"):
        check()
