"""Every text, random values and their memory, through both directions."""

from __future__ import annotations

import gc
import json
import random
import sys
import time

from json_codec import SECONDS, decode, encode
from random_values import random_value
from support import (
    EncodeError,
    alike,
    as_utf16,
    back,
    decode_both,
    joined,
    numbers_as_javascript,
    same,
)


def check_every_text():
    for first in range(0, 0x11000, 97):
        text = "".join(map(chr, range(first, min(first + 97, 0x10FFFF))))
        assert back(text) == joined(text)
        assert back({text: [text]}) == {joined(text): [joined(text)]}
        assert decode_both(json.dumps(text)) == text or any("\ud800" <= c <= "\udfff" for c in text)
        # Non-ASCII text must not leave a copy in UTF-8 behind in its str.
        if first > 0xFF:
            size = sys.getsizeof(text)
            encode(text, False)
            assert sys.getsizeof(text) == size


def check_random_values():
    chance = random.Random(11)
    until = time.monotonic() + SECONDS
    count = 0
    while time.monotonic() < until or count < 200:
        count += 1
        value = [random_value(chance, 4) for _ in range(3)]
        got = back(value, count % 2 == 0)
        assert alike(got, numbers_as_javascript(value)), (value, got)
        text = joined(
            json.dumps(
                value, ensure_ascii=count % 3 == 0, separators=(",", ":") if count % 5 else None
            )
        )
        assert same(decode_both(text, True), as_utf16(json.loads(text))), value


def check_nothing_leaks():
    """Neither reading nor writing, good or failing, keeps objects beyond the bounded caches."""
    record = {"a": ["text", 1.5, {"b": "\u20ac"}], "c": 2**70, "d": "x" * 100}
    text = json.dumps([record] * 5)
    mark = object()
    bad = {"deep": [{"er": mark}]}

    def work():
        decode(text, False, False)
        encode([record] * 5, True)
        for broken in (text[:-7], text[: len(text) // 2], '{"a":[1,{"b":"' + "y" * 50 + '"},x]}'):
            try:
                decode(broken, False, False)
            except ValueError:
                pass
        try:
            encode([bad], True)
        except EncodeError:
            pass

    work()
    gc.collect()
    held = sys.getrefcount(mark)
    growth = []
    for _ in range(4):  # the caches and Python's own free lists fill up in the first rounds
        blocks = sys.getallocatedblocks()
        for _ in range(500):
            work()
        gc.collect()
        growth.append(sys.getallocatedblocks() - blocks)
    assert sys.getrefcount(mark) == held
    assert min(growth) < 20, growth  # one block lost in each call would be 500
