"""numpy arrays in and out, and the JSON form of values that JSON has no form for."""

from __future__ import annotations

import sys

from ._errors import CODEC, HandlerError, ResultEncodeError, ResultTypeError
from ._results import article, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# numpy's kind and item size for every dtype that a JavaScript TypedArray has.
_TYPED = frozenset(
    ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"],
)

_ADVICE = {
    "e": "use result.astype('float32')",
    "g": "use result.astype('float64')",
    "c": "pass the real and the imaginary parts on as two arrays",
    "O": "use numpy.asarray(result, dtype='float64') or codec 'json'",
    "M": "use result.astype('int64'), or codec 'json' for dates as text",
    "m": "use result.astype('int64')",
    "U": "use codec 'string' for text",
    "S": "use codec 'buffer' for bytes",
    "V": "pass each field on as an array of its own",
}


# Those that an array with a shape may have, as in native/buffer/layout.h.
_MOST_DIMENSIONS = 32

_imported: Any = None


def numpy_for(codec: str) -> Any:
    """numpy, which this codec needs. Raises HandlerError where Python does not have it."""
    global _imported
    if _imported is not None:
        return _imported
    try:
        # Not sys.modules: there it also is while another thread is still importing it.
        import numpy
    except ModuleNotFoundError as error:
        if error.name != "numpy":
            raise
        raise HandlerError(
            CODEC,
            f"codec '{codec}' needs numpy, which the Python that runs here does not have. "
            f"Install it there ({sys.executable} -m pip install numpy), "
            "or name it in the option `requirements`.",
        ) from None
    _imported = numpy
    return numpy


def to_array(memory: Any, code: str, layout: list[int] | None = None) -> Any:
    """A numpy array over `memory`, without a copy; `code` is a numpy dtype such as '<f8'.

    `layout`, of an array with a shape, counts elements: where the first one lies, the shape, the
    strides.
    """
    numpy = numpy_for("array")
    if layout is not None:
        dimensions = len(layout) // 2
        shape = layout[1 : 1 + dimensions]
        if 0 in shape:
            return numpy.empty(shape, dtype=code)
        width = numpy.dtype(code).itemsize
        strides = [stride * width for stride in layout[1 + dimensions :]]
        return numpy.ndarray(shape, code, memory, layout[0] * width, strides)
    if memoryview(memory).nbytes == 0:  # frombuffer refuses an empty buffer
        return numpy.empty(0, dtype=code)
    return numpy.frombuffer(memory, dtype=code)


def from_array(result: Any, shaped: bool = False) -> Any:
    """`result` as an array that a TypedArray can be made of: contiguous, writable, native-endian.

    `shaped`: JavaScript takes the shape and the strides as they are, so elements may lie anywhere.
    The very same object where it is that already. Raises ResultEncodeError for a dtype that no
    TypedArray has, ResultTypeError for what is not an array at all.
    """
    if hasattr(result, "__await__"):
        result = resolve(result)
    numpy = numpy_for("array")
    array = _as_ndarray(numpy, result)
    dtype = array.dtype
    if shaped and array.ndim > _MOST_DIMENSIONS:
        raise ResultEncodeError(
            f"handler returned an array of {array.ndim} dimensions; at most {_MOST_DIMENSIONS} "
            "reach JavaScript"
        )
    if dtype.kind == "b":
        # A cast, not a view: nothing outside numpy promises what a bool looks like in memory.
        numbers = array.astype(numpy.uint8, order="C")
        return numbers if shaped else numbers.reshape(array.shape or (1,))
    if f"{dtype.kind}{dtype.itemsize}" not in _TYPED or dtype.kind not in "iuf":
        advice = _ADVICE.get(dtype.char) or _ADVICE.get(dtype.kind, "convert it first")
        raise ResultEncodeError(
            f"handler returned an array of dtype {dtype}, which no TypedArray has; {advice}"
        )
    if array.ndim == 0 and not shaped:
        array = array.reshape(1)
    if not dtype.isnative:
        array = array.astype(dtype.newbyteorder("="))
    if not _fits(array, shaped):
        array = numpy.array(array, order="C", copy=True)
    return array


def _fits(array: Any, shaped: bool) -> bool:
    """Whether JavaScript can look at the array's memory as it is."""
    flags = array.flags
    if not shaped or not flags.writeable:
        return bool(flags.c_contiguous and flags.writeable)
    # The columns of a structured array, say, lie in between what is no element of theirs.
    return bool(flags.aligned) and not any(stride % array.itemsize for stride in array.strides)


def _as_ndarray(numpy: Any, result: Any) -> Any:
    if type(result) is numpy.ndarray:
        return result
    if isinstance(result, numpy.ma.MaskedArray):
        raise ResultEncodeError(
            "handler returned a masked array, and a TypedArray has no place for the mask; "
            "use result.filled(value)"
        )
    if isinstance(result, (numpy.ndarray, numpy.generic, bool, int, float)):
        return numpy.asarray(result)
    if isinstance(result, (bytes, bytearray, memoryview)) or hasattr(result, "typecode"):
        return numpy.asarray(memoryview(result))
    if hasattr(result, "__array__"):  # pandas, torch and others
        return numpy.asarray(result)
    what = "None" if result is None else article(type(result).__name__)
    hint = "is a `return` missing?" if result is None else "use numpy.asarray(result)"
    raise ResultTypeError(f"with codec 'array' a handler must return an array, not {what}; {hint}")


def from_buffer(result: Any) -> bytes:
    """The bytes of a result that is not one piece of memory, in C order.

    Raises ResultEncodeError for what has no bytes, or where these are of use to Python alone.
    """
    name = type(result).__name__
    try:
        view = memoryview(result)
    except (TypeError, ValueError, BufferError) as error:
        raise ResultEncodeError(
            f"the codec 'buffer' carries bytes, bytearray, memoryview and arrays, but this is "
            f"{article(name)}: {error}"
        ) from None
    if "O" in "".join(view.format.split(":")[::2]):  # between colons are names of fields
        raise ResultEncodeError(
            f"{article(name)} of Python objects has no bytes that JavaScript could use; "
            "use codec 'json', or a dtype of numbers"
        )
    return view.tobytes()


_JSON_HINTS = {
    "set": "use sorted(...) or list(...)",
    "frozenset": "use sorted(...) or list(...)",
    "bytes": "use codec 'buffer', or base64.b64encode(...).decode()",
    "bytearray": "use codec 'buffer', or base64.b64encode(...).decode()",
    "memoryview": "use codec 'buffer', or base64.b64encode(...).decode()",
    "Decimal": "use float(...) or str(...)",
    "Fraction": "use float(...) or str(...)",
    "complex": "use [value.real, value.imag]",
    "timedelta": "use value.total_seconds()",
    "Timedelta": "use value.total_seconds()",
    "UUID": "use str(...)",
    "Tensor": "use tensor.tolist()",
    "DataFrame": "use frame.to_dict('records')",
    "generator": "use list(...)",
    "range": "use list(...)",
    "map": "use list(...)",
    "filter": "use list(...)",
    "zip": "use list(...)",
    "dict_keys": "use list(...)",
    "dict_values": "use list(...)",
    "dict_items": "use list(...)",
    "deque": "use list(...)",
    "coroutine": "is an `await` missing?",
    "function": "is a pair of parentheses missing?",
    "mappingproxy": "use dict(...)",
    "longdouble": "use float(...)",
}


def json_default(value: Any) -> Any:
    """What JSON has a form for, in place of `value`, which it has none for.

    The answer is encoded in turn, so it may hold such values again. Raises ResultEncodeError.
    """
    name = type(value).__name__
    if name in ("NaTType", "NAType"):  # pandas' missing values; the first one is a datetime, too
        return None
    module = type(value).__module__.partition(".")[0]
    if module == "numpy" or hasattr(value, "__array_interface__"):
        return _json_numpy(value)
    if "datetime" in sys.modules:
        import datetime

        if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
            return value.isoformat()
    if hasattr(type(value), "__dataclass_fields__"):
        import dataclasses

        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if hasattr(value, "iloc") and hasattr(value, "tolist"):  # a pandas Series
        return value.tolist()
    if _is_enum(value):
        raise _no_json(value, "use value.value or value.name")
    raise _no_json(value, _JSON_HINTS.get(name, "turn it into a dict, list, str or number first"))


def _json_numpy(value: Any) -> Any:
    dtype = value.dtype if hasattr(value, "dtype") else None
    kind = getattr(dtype, "kind", "")
    if kind == "M":
        import numpy

        text = numpy.datetime_as_string(value).tolist()
        return _without_nat(text)
    if kind == "m":
        raise _no_json(value, "use value / numpy.timedelta64(1, 's') for seconds")
    if kind == "c":
        raise _no_json(value, "use [value.real, value.imag]")
    if hasattr(value, "filled") and hasattr(value, "mask"):
        return value.tolist()  # a masked array: None where nothing is
    if getattr(dtype, "char", "") == "g":
        return value.astype("float64").tolist()
    if hasattr(value, "tolist"):
        plain = value.tolist()
        if type(plain) is not type(value):
            return plain
    raise _no_json(value, "turn it into a list or a number first")


def _without_nat(text: Any) -> Any:
    if isinstance(text, list):
        return [_without_nat(each) for each in text]
    return None if text == "NaT" else text


def _is_enum(value: Any) -> bool:
    enum = sys.modules.get("enum")
    return enum is not None and isinstance(value, enum.Enum)


def _no_json(value: Any, hint: str) -> ResultEncodeError:
    kind = type(value)
    name = kind.__qualname__
    if kind.__module__ not in ("builtins", "__main__"):
        name = f"{kind.__module__}.{name}"
    return ResultEncodeError(f"JSON has no form for {article(name)}; {hint}")
