"""From what a handler returned to a list with one result for each item."""

from __future__ import annotations

from itertools import islice

from . import _async
from ._errors import ResultLengthError, ResultTypeError, item_word, mark_item

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Types that can be iterated over, but where that would not give one result for each item.
_NOT_LISTS = (str, bytes, bytearray, memoryview, dict, set, frozenset)


def as_list(result: Any, count: int, exact: bool, rows: bool = False) -> list[Any]:
    """A list of the results for a batch of `count` items.

    `exact`: there must be `count` of them. `rows`: leave the rows of an array as arrays (codec
    'buffer') instead of turning them into lists of numbers.
    Raises ResultLengthError, ResultTypeError and whatever a generator raises on its way; such an
    exception knows the index of the item that it was working on.
    """
    kind = type(result)
    results: list[Any]
    if kind is list:
        results = result
    elif kind is tuple:
        results = list(result)
    else:
        if hasattr(result, "__await__") or hasattr(result, "__aiter__"):
            return as_list(resolve(result, count if exact else None), count, exact, rows)
        results = _listed(result, count, exact, rows)
    if exact and len(results) != count:
        cut = len(results) > count and not hasattr(result, "__len__")
        raise _length_error(len(results), count, kind.__name__, cut)
    return results


def resolve(result: Any, limit: int | None = None) -> Any:
    """What a coroutine or async generator comes to; anything else as it is."""
    if hasattr(result, "__await__"):
        return _async.shared_loops.run(result)
    if hasattr(result, "__aiter__"):
        return _async.shared_loops.run(_async.collect(result, limit))
    return result


def _length_error(returned: int, count: int, kind: str, cut: bool) -> ResultLengthError:
    if cut:  # an endless generator is read one result past the batch, not to its end
        results = f"more than {count} result{'' if count == 1 else 's'}"
    else:
        results = f"{returned} result{'' if returned == 1 else 's'}"
    return ResultLengthError(
        f"handler returned {results} for a batch of {count} (the result is {article(kind)}); "
        "it must return exactly one result for each item, in the same order"
    )


def _listed(result: Any, count: int, exact: bool, rows: bool) -> list[Any]:
    if result is None or isinstance(result, _NOT_LISTS):
        raise _type_error(result, count)
    converted = _from_columns(result, rows)
    if converted is not None:
        return converted
    try:
        iterator = iter(result)
    except TypeError:
        raise _type_error(result, count) from None
    results: list[Any] = []
    try:
        endless = exact and not hasattr(result, "__len__")
        results.extend(islice(iterator, count + 1) if endless else iterator)
    except BaseException as error:
        # extend() keeps what arrived before the exception: the next item is the one that failed.
        if exact and len(results) < count:
            mark_item(error, len(results))
        raise
    return results


def _from_columns(result: Any, rows: bool) -> list[Any] | None:
    """Lists from numpy, pandas, polars and pyarrow, without importing any of them."""
    if hasattr(result, "iloc") and hasattr(result, "columns"):
        return list(result.to_dict("records"))
    dimensions = getattr(result, "ndim", 1)
    if dimensions == 0:
        return None
    if rows and isinstance(dimensions, int) and dimensions > 1:
        return list(result)
    for name in ("tolist", "to_dicts", "to_list", "to_pylist"):
        convert = getattr(result, name, None)
        if callable(convert):
            listed = convert()
            return listed if isinstance(listed, list) else None
    return None


def article(kind: str) -> str:
    return f"an {kind}" if kind[:1] in "aeiouAEIOU" else f"a {kind}"


def _type_error(result: Any, count: int) -> ResultTypeError:
    what = "None" if result is None else article(type(result).__name__)
    if result is None:
        hint = "is a `return` missing?"
    elif isinstance(result, (set, frozenset)):
        hint = "a set has no order, so its results cannot be matched to the items"
    elif isinstance(result, dict):
        hint = "a dict for the whole batch does not say which item each value belongs to"
    elif isinstance(result, (str, bytes, bytearray, memoryview)):
        hint = "one for the whole batch is not a list of them"
    else:
        hint = "a handler gets a whole batch, not one item"
    return ResultTypeError(
        f"handler returned {what} for a batch of {item_word(count)}; "
        f"it must return a list with one result for each item ({hint})"
    )
