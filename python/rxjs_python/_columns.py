"""Codec 'columns': a batch of records as numpy arrays, one for each field, and back.

A batch comes in two parts: JSON that says which columns there are, and the memory they lie in
(lib/codec/columns.ts writes it). Results go the same way, each column in memory of its own.
"""

from __future__ import annotations

from ._convert import numpy_for
from ._errors import ResultEncodeError, ResultLengthError, item_word, mark_item
from ._results import article, as_list, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_DTYPES = {"float64": "<f8", "float32": "<f4", "int32": "<i4", "boolean": "?", "string": "<i4"}

# What JavaScript has numbers for, by numpy's kind and item size.
_NUMBERS = {
    "i1": "int8",
    "u1": "uint8",
    "i2": "int16",
    "u2": "uint16",
    "i4": "int32",
    "u4": "uint32",
    "i8": "int64",
    "u8": "uint64",
    "f4": "float32",
    "f8": "float64",
}

_ADVICE = {
    "g": "use .astype('float64')",
    "c": "make two columns of the real and the imaginary parts",
    "M": "use .astype('int64'), or numpy.datetime_as_string(...) for text",
    "m": "use .astype('int64')",
    "S": "use .astype('str')",
    "V": "make a column of each field",
}

# The largest integers of columns of integers, and of those that have other numbers, too.
_LARGEST = 2**63 - 1
_LARGEST_EXACT = 2**53


class Columns(dict):  # type: ignore[type-arg]
    """The columns of a batch by the names of their fields.

    A column is a numpy array: of float64, float32, int32 or bool; a masked array of those where
    items have no value; a StringColumn for text. ``count`` is the number of items.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    __module__ = "rxjs_python"


class StringColumn:
    """A column of text: item i is ``values[codes[i]]``, or None where ``codes[i]`` is -1.

    ``codes`` is an array of int32, ``values`` a list of the different texts. It can be compared
    with a text, indexed, iterated over and given to numpy and pandas.
    """

    __module__ = "rxjs_python"
    __slots__ = ("codes", "values")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, codes: Any, values: list[str]) -> None:
        self.codes = codes
        self.values = values

    def __len__(self) -> int:
        return len(self.codes)

    def __iter__(self) -> Iterator[str | None]:
        return iter(self.tolist())

    def __getitem__(self, index: Any) -> Any:
        """The text of one item; for a slice, a mask or a list of indices a StringColumn."""
        codes = self.codes[index]
        if getattr(codes, "ndim", 0) == 0:
            code = int(codes)
            return None if code < 0 else self.values[code]
        return StringColumn(codes, self.values)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        numpy = _numpy()
        # The last one is that of code -1.
        texts = numpy.empty(len(self.values) + 1, dtype=object)
        texts[:-1] = self.values
        texts[-1] = None
        array = texts[self.codes]
        return array if dtype is None else array.astype(dtype)

    def __eq__(self, other: object) -> Any:
        """An array of bool: which items are this text, or which are the same in both columns."""
        if isinstance(other, str):
            code = self.values.index(other) if other in self.values else len(self.values)
            return self.codes == code
        return self.__array__() == (other.__array__() if isinstance(other, StringColumn) else other)

    def __ne__(self, other: object) -> Any:
        return ~(self == other)

    def __repr__(self) -> str:
        return f"StringColumn({self.tolist()!r})"

    def tolist(self) -> list[str | None]:
        values: list[str | None] = [*self.values, None]
        return [values[code] for code in self.codes.tolist()]


def size_of(batch: Any) -> int:
    """How many items a batch has."""
    return batch.count if isinstance(batch, Columns) else len(batch)


def to_columns(header: Any, data: Any) -> Columns:
    """The columns of a batch, without a copy of their memory."""
    import json

    numpy = _numpy()
    count, entries = json.loads(bytes(header))
    columns = Columns(count)
    for name, kind, offset, mask, values in entries:
        if count == 0:
            array = numpy.empty(0, _DTYPES[kind])
        else:
            array = numpy.frombuffer(data, _DTYPES[kind], count, offset)
        if kind == "string":
            columns[name] = StringColumn(array, values)
        elif mask < 0:
            columns[name] = array
        else:
            missing = numpy.frombuffer(data, "?", count, mask)
            columns[name] = numpy.ma.MaskedArray(array, missing)
    return columns


def from_columns(result: Any, count: int, exact: bool, rows: bool = False) -> Any:
    """A handler's columns as a tuple of one list: what they are (JSON), then their memory.

    Of anything else the list of its results, as `as_list` makes it. Raises what that does, and
    ResultEncodeError for values that have no column.
    """
    if hasattr(result, "__await__") or hasattr(result, "__aiter__"):
        result = resolve(result, count if exact else None)
    named = _named(result)
    if named is None:
        return as_list(result, count, exact, rows)
    import json

    numpy = _numpy()
    entries = []
    parts: list[Any] = []
    for name, value in named:
        column = _Column(numpy, name, value, count)
        entries.append([name, column.kind, column.mask is not None, column.values])
        parts.append(column.data)
        if column.mask is not None:
            parts.append(column.mask)
    header = json.dumps([count, entries], separators=(",", ":")).encode("ascii")
    return ([header, *parts],)


def _numpy() -> Any:
    return numpy_for("columns")


def _named(result: Any) -> list[tuple[Any, Any]] | None:
    """The columns of a result by name; a single one that has no name has None; else None."""
    if isinstance(result, dict):
        for name in result:
            if type(name) is not str:
                raise ResultEncodeError(
                    f"the names of columns are str, but one is {article(type(name).__name__)}"
                )
        return list(result.items())
    if hasattr(result, "iloc") and hasattr(result, "columns"):  # a pandas DataFrame
        names = [str(name) for name in result.columns]
        if len(set(names)) < len(names):
            raise ResultEncodeError("two columns of the DataFrame have the same name")
        return [(name, result.iloc[:, place]) for place, name in enumerate(names)]
    if isinstance(result, StringColumn):
        return [(None, result)]
    dtype = getattr(result, "dtype", None)
    # Text and objects may be anything, which codec 'json' knows more about.
    if getattr(result, "ndim", 0) == 1 and getattr(dtype, "kind", "O") in "biuf":
        return [(None, result)]
    return None


class _Column:
    """One column of a result: its kind, its memory, which items have no value, its texts."""

    def __init__(self, numpy: Any, name: str | None, value: Any, count: int) -> None:
        self.kind = ""
        self.data: Any = None
        self.mask: Any = None
        self.values: list[str] | None = None
        self._numpy = numpy
        self._what = "the result" if name is None else f"column {name!r}"
        if isinstance(value, StringColumn):
            self._check_length(len(value), count)
            self._take_codes(value)
            return
        array = self._array_of(value)
        if array.ndim != 1:
            raise ResultEncodeError(
                f"{self._what} has {array.ndim} dimensions; a column has one value for each item"
            )
        self._check_length(len(array), count)
        if isinstance(array, numpy.ma.MaskedArray):
            mask = numpy.ma.getmaskarray(array)
            if mask.any():
                self.mask = numpy.ascontiguousarray(mask)
            array = array.data
        self._take(array)

    def _array_of(self, value: Any) -> Any:
        numpy = self._numpy
        if isinstance(value, numpy.ndarray):
            return value
        if isinstance(value, (list, tuple)):
            array = numpy.empty(len(value), dtype=object)
            array[:] = value
            return array
        kind = getattr(value, "dtype", None)
        if hasattr(value, "__array__"):  # pandas and others
            plain = isinstance(kind, numpy.dtype) or kind is None
            return numpy.asarray(value) if plain else numpy.asarray(value, dtype=object)
        raise ResultEncodeError(
            f"{self._what} is {article(type(value).__name__)}; a column is a numpy array or a list"
        )

    def _check_length(self, length: int, count: int) -> None:
        if length != count:
            raise ResultLengthError(
                f"{self._what} has {length} value{'' if length == 1 else 's'} for a batch of "
                f"{item_word(count)}; a column has exactly one for each item, in the same order"
            )

    def _take_codes(self, column: StringColumn) -> None:
        numpy = self._numpy
        codes = numpy.ascontiguousarray(column.codes, dtype="<i4")
        for value in column.values:
            if not isinstance(value, str):
                raise ResultEncodeError(
                    f"{self._what} has {article(type(value).__name__)} among its texts"
                )
        outside = (codes < -1) | (codes >= len(column.values))
        if outside.any():
            index = int(outside.argmax())
            raise self._refused(
                index,
                f"code {int(codes[index])} is not that of one of its {len(column.values)} texts",
            )
        self.kind, self.data, self.values = "string", codes, [str(text) for text in column.values]

    def _take(self, array: Any) -> None:
        numpy = self._numpy
        dtype = array.dtype
        if dtype.kind == "b":
            self.kind, self.data = "boolean", numpy.ascontiguousarray(array)
            return
        if dtype.kind in "OUT":
            self._take_objects(array.tolist())
            return
        if dtype.char == "e":  # every one of its values is one of float32
            array = array.astype(numpy.float32)
            dtype = array.dtype
        kind = _NUMBERS.get(f"{dtype.kind}{dtype.itemsize}")
        if kind is None:
            advice = _ADVICE.get(dtype.char) or _ADVICE.get(dtype.kind, "convert it first")
            raise ResultEncodeError(
                f"{self._what} is of dtype {dtype}, which codec 'columns' does not carry; {advice}"
            )
        self.kind = kind
        self.data = numpy.ascontiguousarray(array, dtype=dtype.newbyteorder("<"))

    def _take_objects(self, values: list[Any]) -> None:
        numpy = self._numpy
        hidden = self.mask.tolist() if self.mask is not None else [False] * len(values)
        missing = [gone or _is_missing(value) for gone, value in zip(hidden, values)]
        there = [value for value, gone in zip(values, missing) if not gone]
        # Where pandas has texts, it has NaN for those that are missing.
        first = next((value for value in there if value == value), there[0] if there else None)
        if isinstance(first, str):
            self.mask = None
            self._take_texts(values, missing)
            return
        self.mask = numpy.array(missing, dtype=bool) if any(missing) else None
        if isinstance(first, (bool, numpy.bool_)):
            self._take_booleans(values, missing)
        else:
            self._take_numbers(values, missing)

    def _take_texts(self, values: list[Any], missing: list[bool]) -> None:
        known: dict[str, int] = {}
        codes = []
        for index, value in enumerate(values):
            if missing[index] or value != value:
                codes.append(-1)
            elif isinstance(value, str):
                codes.append(known.setdefault(value, len(known)))
            else:
                raise self._refused(index, f"{article(type(value).__name__)} in a column of str")
        self.kind, self.values = "string", [str(text) for text in known]
        self.data = self._numpy.array(codes, dtype="<i4")

    def _take_booleans(self, values: list[Any], missing: list[bool]) -> None:
        numpy = self._numpy
        for index, value in enumerate(values):
            if not missing[index] and not isinstance(value, (bool, numpy.bool_)):
                raise self._refused(index, f"{article(type(value).__name__)} in a column of bool")
        plain = [not gone and bool(value) for value, gone in zip(values, missing)]
        self.kind, self.data = "boolean", numpy.array(plain, dtype=bool)

    def _take_numbers(self, values: list[Any], missing: list[bool]) -> None:
        numpy = self._numpy
        whole = True
        for index, value in enumerate(values):
            if missing[index]:
                continue
            if isinstance(value, (bool, numpy.bool_)) or not isinstance(
                value, (int, float, numpy.integer, numpy.floating)
            ):
                raise self._refused(
                    index, f"{article(type(value).__name__)} does not go into a column of numbers"
                )
            whole = whole and isinstance(value, (int, numpy.integer))
        largest = _LARGEST if whole else _LARGEST_EXACT
        plain = [0 if gone else value for value, gone in zip(values, missing)]
        for index, value in enumerate(plain):
            if isinstance(value, (int, numpy.integer)) and not -largest <= value <= largest:
                raise self._refused(index, f"{value} is too large for this column; use str(...)")
        self.kind = "int64" if whole else "float64"
        self.data = numpy.array(plain, dtype="<i8" if whole else "<f8")

    def _refused(self, index: int, why: str) -> ResultEncodeError:
        error = ResultEncodeError(f"item {index}, {self._what}: {why}")
        mark_item(error, index)
        return error


def _is_missing(value: Any) -> bool:
    return value is None or type(value).__name__ in ("NAType", "NaTType")
