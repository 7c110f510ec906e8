"""Requests to JavaScript: what rxjs_python.host and its futures are made of."""

from __future__ import annotations

from ._errors import Interrupted, JavaScriptError, ResultEncodeError
from ._interrupt import in_step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FOREVER = 1e8  # seconds
BUSY = -2  # instead of a request's number; see native/callback/desk.h


class Native:
    """Where the functions of the native core are; there is none before a runtime has booted."""

    core: Any = None


def install(native: Any) -> None:
    """Called once for each runtime, at its start."""
    Native.core = native


def begin(name: str, args: tuple[Any, ...], future: bool) -> int:
    """Sends a request and returns its number."""
    if type(name) is not str:
        raise TypeError(f"the name of a callback is a str, not {type(name).__name__}")
    if Native.core is None:
        raise RuntimeError("JavaScript can be called only where rxjs-python runs this Python")
    try:
        number: int = Native.core.callback_begin([name, *args], future)
    except ResultEncodeError as error:
        raise TypeError(f"an argument of {name!r} cannot go to JavaScript: {error}") from None
    if number > 0:
        return number
    if number == 0:
        raise JavaScriptError(
            {
                "name": "PoolClosedError",
                "code": "ERR_POOL_CLOSED",
                "message": f"{name!r} cannot be called: the pool is closed",
            }
        )
    if number == BUSY:
        raise JavaScriptError(
            {
                "name": "CallbackError",
                "code": "ERR_CALLBACK",
                "message": f"{name!r} cannot be called: its JavaScript thread runs this very "
                "call, by callSync with 'inline'",
            }
        )
    raise RecursionError(
        f"{name!r} cannot be called: too many calls run inside each other on this interpreter, "
        "each made by a callback that the one before it waits for"
    )


def call(name: str, args: tuple[Any, ...]) -> Any:
    number = begin(name, args, False)
    try:
        while True:
            answer = Native.core.callback_wait(number, FOREVER)
            if answer is not None:
                break
            if in_step(Native.core):  # where no signal says so
                raise Interrupted("the call was asked to stop")
    except BaseException:
        Native.core.callback_drop(number)
        raise
    ok, value = answer
    if ok:
        return value
    raise JavaScriptError(value)
