"""Calling JavaScript from a handler: the functions that the pool exposes under a name.

``call`` waits for the answer, ``submit`` gives a future, ``call_async`` is for ``async def``. Names
are chosen in JavaScript (``pool.expose``); arguments and results are data, as with the codec
'json'. Any thread may call.
"""

from __future__ import annotations

from . import _callback
from ._errors import JavaScriptError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from concurrent.futures import Future
    from typing import Any

__all__ = ["JavaScriptError", "call", "call_async", "submit"]


def call(name: str, *args: Any) -> Any:
    """Calls the JavaScript function ``name`` and returns its result, awaited where it is a promise.

    Raises JavaScriptError with what it threw. While it waits, this interpreter runs the calls that
    the function makes to handlers of the same pool.
    """
    return _callback.call(name, args)


def submit(name: str, *args: Any) -> Future[Any]:
    """Calls the JavaScript function ``name`` and returns at once, with a future for its result."""
    from ._futures import answers

    return answers.submit(name, args)


async def call_async(name: str, *args: Any) -> Any:
    """Like ``call``, for ``async def``: other tasks run while JavaScript works."""
    from asyncio import wrap_future

    return await wrap_future(submit(name, *args))
