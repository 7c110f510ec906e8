"""The exceptions that rxjs_python raises itself, each with the ``code`` that JavaScript sees."""

from __future__ import annotations

NOT_FOUND = "ERR_HANDLER_NOT_FOUND"
SYNTAX = "ERR_HANDLER_SYNTAX"
INIT = "ERR_HANDLER_INIT"
CODEC = "ERR_CODEC"
EXCEPTION = "ERR_PYTHON_EXCEPTION"


class Interrupted(KeyboardInterrupt):
    """Raised where a call is running that was aborted, timed out or unsubscribed from.

    A ``KeyboardInterrupt`` rather than a plain ``BaseException``, because asyncio, subprocess and
    joblib let only that one and ``SystemExit`` out of their loops; any other exception that happens
    to arrive inside them would be logged and forgotten, and the call would run on.
    """

    code = "ERR_INTERRUPTED"
    __module__ = "rxjs_python"


class HandlerError(Exception):
    """A handler could not be found, loaded or set up.

    ``origin`` is the exception that the handler's own code raised, where there was one: reports
    then show its type and traceback with this error's code.
    """

    __module__ = "rxjs_python"

    def __init__(self, code: str, message: str, origin: BaseException | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.origin = origin


class ResultError(Exception):
    """A handler ran to its end, but what it returned cannot be given to JavaScript."""

    code = "ERR_RESULT_TYPE"
    __module__ = "rxjs_python"


class ResultLengthError(ResultError):
    """The number of results differs from the number of items in the batch."""

    code = "ERR_RESULT_LENGTH"
    __module__ = "rxjs_python"


class ResultTypeError(ResultError):
    """The result as a whole is not a list of results."""

    code = "ERR_RESULT_TYPE"
    __module__ = "rxjs_python"


class ResultEncodeError(ResultError):
    """One value in the result has no form that the handler's codec can carry."""

    code = "ERR_RESULT_ENCODE"
    __module__ = "rxjs_python"


def mark_item(error: BaseException, index: int) -> None:
    """Notes which item of the batch was being worked on; the first note stands."""
    try:
        if getattr(error, "__rxp_item__", None) is None:
            error.__rxp_item__ = index  # type: ignore[attr-defined]
    except Exception:
        # A class that forbids new attributes loses the index, never the error itself.
        pass


def item_word(count: int) -> str:
    return "1 item" if count == 1 else f"{count} items"
