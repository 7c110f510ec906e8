"""Values of all kinds, as the bytes of a fuzzing input ask for; some change what holds them."""

from __future__ import annotations

import array
import datetime
import decimal
import enum
import gc
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_DEPTH = 40
_texts = ("", "a", "plain text", "\x00N", "é", "\u20ac", "\U0001f600", "\ud800", "x" * 300, '"\\\n')


class Text(str):
    pass


class Whole(int):
    def __index__(self) -> int:
        raise RuntimeError("not an index")


class Fraction(float):
    pass


class Mapping(dict):
    def items(self) -> Any:
        return None


class Row(list):
    def __len__(self) -> int:
        return 10**6

    def __iter__(self) -> Any:
        raise RuntimeError("no way through")


class Colour(enum.Enum):
    RED = 1


class Meddler:
    """Empties what holds it as soon as anyone asks it for something."""

    def __init__(self, holders: list[Any]) -> None:
        self._holders = list(holders)

    def _meddle(self) -> None:
        for holder in self._holders:
            if isinstance(holder, (list, dict, bytearray)):
                try:
                    holder.clear()
                except BufferError:
                    pass

    def __getattr__(self, name: str) -> Any:
        self._meddle()
        raise AttributeError(name)

    def __iter__(self) -> Any:
        self._meddle()
        return iter(["left"])

    def __buffer__(self, flags: int) -> memoryview:
        self._meddle()
        return memoryview(bytearray(70_000))

    def isoformat(self) -> str:
        self._meddle()
        return "now"

    def tolist(self) -> list[Any]:
        self._meddle()
        return [1, 2]


class Builder:
    def __init__(self, data: bytes, inputs: list[memoryview]) -> None:
        self._data = data
        self._at = 0
        self._inputs = inputs
        self._holders: list[Any] = []

    def byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def bytes(self, count: int) -> bytes:
        return bytes(self.byte() for _ in range(count))

    def text(self) -> str:
        way = self.byte()
        if way < 128:
            return _texts[way % len(_texts)]
        return self.bytes(way % 16).decode(
            "utf-16-le" if way & 16 else "latin-1",
            "surrogatepass" if way & 16 and way % 2 == 0 else "replace",
        )

    def value(self, depth: int) -> Any:
        way = self.byte() % 32
        if depth > MAX_DEPTH:
            way %= 8
        if way < 8:
            return (None, True, False, 0, -1, 1.5, "text", self.byte())[way]
        if way < 16:
            return self._number_or_text(way)
        if way < 24:
            return self._container(way, depth)
        return self._memory_or_object(way, depth)

    def _number_or_text(self, way: int) -> Any:
        if way == 8:
            return self.text()
        if way == 9:
            return Text(self.text())
        if way == 10:
            return int.from_bytes(self.bytes(self.byte() % 40), "little", signed=True)
        if way == 11:
            return struct.unpack("<d", self.bytes(8))[0]
        if way == 12:
            return Whole(self.byte())
        if way == 13:
            return Fraction(self.byte() / 3)
        if way == 14:
            return 10 ** (self.byte() * 8)
        return decimal.Decimal(self.byte())

    def _container(self, way: int, depth: int) -> Any:
        count = self.byte() % 5
        if way in (16, 17, 18):
            made: list[Any] = Row() if way == 18 else []
            self._holders.append(made)
            for _ in range(count):
                made.append(self.value(depth + 1))
            if way == 17 and count == 4:
                made.append(made)
            return made
        if way == 19:
            return tuple(self.value(depth + 1) for _ in range(count))
        fields: dict[Any, Any] = Mapping() if way == 22 else {}
        self._holders.append(fields)
        for _ in range(count):
            try:
                key = self.text() if way < 23 else self.value(MAX_DEPTH)
                fields[key] = self.value(depth + 1)
            except (TypeError, ValueError):  # not a key
                pass
        return fields

    def _memory_or_object(self, way: int, depth: int) -> Any:
        if way == 24:
            return self.bytes(self.byte())
        if way == 25:
            made = bytearray((70_000 if self.byte() % 2 else 10) + self.byte())
            self._holders.append(made)
            return made
        if way == 26:
            code = "bBhHiIlLqQfd"[self.byte() % 12]
            return array.array(code, [1] * (self.byte() * 100))
        if way == 27:
            view = self._inputs[self.byte() % len(self._inputs)]
            start, step = self.byte(), 1 + self.byte() % 3
            return view[start : start + self.byte() * 300 : step]
        if way == 28:
            shaped = memoryview(bytearray(24))
            return shaped.cast("BHiqd"[self.byte() % 5]) if self.byte() % 2 else shaped[::-1]
        if way == 29:
            return Meddler(self._holders)
        if way == 30:
            return (datetime.datetime(2020, 1, 1), Colour.RED, {1, 2}, range(3), object())[
                self.byte() % 5
            ]
        nested: Any = []
        for _ in range(self.byte() * 4):
            nested = [nested]
        return nested


def build(text: str, inputs: list[memoryview]) -> list[Any]:
    builder = Builder(text.encode("latin-1"), inputs)
    made: list[Any] = []
    builder._holders.append(made)
    for _ in range(builder.byte() % 6):
        made.append(builder.value(0))
    return made


_runs = 0


def settle() -> None:
    """Collects what refers to itself, now and then."""
    global _runs
    _runs += 1
    if _runs % 200 == 0:
        gc.collect()
