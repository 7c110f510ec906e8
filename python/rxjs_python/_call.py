"""The shapes that a handler may have, each made into a callable that takes a batch.

A plain function or generator function in mode 'map' stays the very function that it is, as every
wrapper would be paid for on every call. Generators are read where their results are looked at
(_results.py).
"""

from __future__ import annotations

from functools import partial

from . import _async
from ._aggregate import Programs, is_aggregate
from ._columns import size_of
from ._errors import INIT, HandlerError, ResultTypeError, mark_item
from ._results import article, as_list, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Call = Callable[[Any], Any]

# Bits of a code object's co_flags, named as in the inspect module, which is slow to load.
_CO_GENERATOR = 0x20
_CO_COROUTINE = 0x80
_CO_ASYNC_GENERATOR = 0x200

_ATOMS = frozenset((type(None), bool, int, float, str, bytes, complex))


def shape(target: Any, mode: str, codec: str, seed: Any, loops: _async.Loops) -> Call:
    """The callable for `mode` over `target` (a function, an instance with __call__, …)."""
    if mode != "map" and codec == "array":
        raise HandlerError(
            INIT, f"mode '{mode}' does not go with codec 'array': a chunk is a batch already"
        )
    if mode == "scan" and codec == "columns":
        raise HandlerError(
            INIT, "mode 'scan' does not go with codec 'columns': it takes items one by one"
        )
    if mode == "scan":
        return Scan(target, seed, loops)
    if mode == "map" and call_method(type(target)) is None and is_aggregate(target):
        return Programs(target)
    call = _awaited(target, codec, loops)
    if mode == "map":
        return call
    if mode == "filter":
        return _filter(call)
    if mode == "flatMap":
        return _flat_map(call)
    raise ValueError(f"no such mode: {mode!r}")


def code_flags(target: Any) -> int:
    while isinstance(target, partial):
        target = target.func
    code = getattr(target, "__code__", None)
    if code is None:
        code = getattr(call_method(type(target)), "__code__", None)
    return getattr(code, "co_flags", 0)


def call_method(kind: type) -> Any:
    """The method __call__ that instances of `kind` have, or None."""
    for each in kind.__mro__:
        if "__call__" in vars(each):
            return vars(each)["__call__"]
    return None


def _awaited(target: Any, codec: str, loops: _async.Loops) -> Call:
    flags = code_flags(target)
    if flags & _CO_COROUTINE:

        def call_async(batch: Any) -> Any:
            return loops.run(target(batch))

        return _many(call_async, target, loops)
    if flags & _CO_ASYNC_GENERATOR and codec != "array":

        def call_async_generator(batch: Any) -> Any:
            return loops.run(_async.collect(target(batch), size_of(batch)))

        def start(batch: Any) -> Any:
            return _async.collect(target(batch), size_of(batch))

        return _many(call_async_generator, start, loops)
    plain: Call = target
    return plain


def _many(call: Any, start: Any, loops: _async.Loops) -> Call:
    """`call` for one batch at a time, and what the native core needs to have many in flight."""
    call.__rxp_start__ = start
    call.__rxp_loops__ = loops
    return call  # type: ignore[no-any-return]


def _filter(call: Call) -> Call:
    def filter_batch(batch: Any) -> list[str]:
        count = size_of(batch)
        keep = as_list(call(batch), count, True)
        try:
            return ["".join(["1" if each else "0" for each in keep])]
        except BaseException as error:
            _mark_first_unclear(error, keep)
            raise

    return filter_batch


def _mark_first_unclear(error: BaseException, keep: list[Any]) -> None:
    for index, each in enumerate(keep):
        try:
            bool(each)
        except Exception:
            mark_item(error, index)
            return


def _flat_map(call: Call) -> Call:
    def flat_map_batch(batch: Any) -> list[Any]:
        flat: list[Any] = []
        for index, inner in enumerate(as_list(call(batch), size_of(batch), True)):
            kind = type(inner)
            if kind is list or kind is tuple:
                flat.extend(inner)
                continue
            try:
                flat.extend(_inner_list(inner, index))
            except BaseException as error:
                mark_item(error, index)
                raise
        return flat

    return flat_map_batch


def _inner_list(inner: Any, index: int) -> list[Any]:
    try:
        return as_list(inner, 0, False)
    except ResultTypeError:
        what = "None" if inner is None else article(type(inner).__name__)
        raise ResultTypeError(
            f"handler returned {what} for item {index}; with flatMapPython it must return a list "
            "for each item, [] where there is nothing to pass on"
        ) from None


class Scan:
    """`handler(state, item) -> state` over every item; the results are the states after each.

    The state outlives the batch. Where the handler raises, it is what it was before the batch.
    """

    def __init__(self, target: Any, seed: Any, loops: _async.Loops) -> None:
        flags = code_flags(target)
        if flags & (_CO_GENERATOR | _CO_ASYNC_GENERATOR):
            raise HandlerError(
                INIT,
                "a handler for scanPython must return the next state, "
                "but this one is a generator function",
            )
        self._target = target
        self._loops = loops
        self._is_async = bool(flags & _CO_COROUTINE)
        self._busy = False
        # Never changed by the handler: what the state goes back to when a batch fails.
        self._settled = copy_state(seed)
        self._state = copy_state(seed)

    def __call__(self, batch: Any) -> list[Any]:
        if self._busy:
            raise RuntimeError(
                "a scan was called by a callback that it waits for itself; its state is not "
                "settled before the batch is done"
            )
        self._busy = True
        try:
            return self._run(batch)
        finally:
            self._busy = False

    def _run(self, batch: Any) -> list[Any]:
        states: list[Any] = []
        try:
            if self._is_async:
                state = self._loops.run(self._advance_async(batch, states))
            else:
                state = self._advance(batch, states)
        except BaseException as error:
            mark_item(error, len(states))
            self._state = copy_state(self._settled)
            raise
        if states:
            self._state, self._settled = state, states[-1]
        return states

    def _advance(self, batch: Any, states: list[Any]) -> Any:
        target, state = self._target, self._state
        for item in batch:
            state = target(state, item)
            if hasattr(state, "__await__"):
                state = resolve(state)
            states.append(copy_state(state))
        return state

    async def _advance_async(self, batch: Any, states: list[Any]) -> Any:
        target, state = self._target, self._state
        for item in batch:
            state = await target(state, item)
            states.append(copy_state(state))
        return state


def copy_state(state: Any) -> Any:
    """A copy that later changes to `state` do not reach.

    A handler may well change a dict and return it again: without copies, every result of the batch
    would then be the last one.
    """
    kind = type(state)
    if kind in _ATOMS:
        return state
    if kind is dict:
        return {key: copy_state(value) for key, value in state.items()}
    if kind is list:
        return [copy_state(value) for value in state]
    if kind is tuple:
        return tuple([copy_state(value) for value in state])
    import copy

    return copy.deepcopy(state)
