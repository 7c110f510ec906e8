"""The exceptions that rxjs_python raises itself, each with the ``code`` that JavaScript sees."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NOT_FOUND = "ERR_HANDLER_NOT_FOUND"
SYNTAX = "ERR_HANDLER_SYNTAX"
INIT = "ERR_HANDLER_INIT"
CODEC = "ERR_CODEC"
EXCEPTION = "ERR_PYTHON_EXCEPTION"

# Characters of a stack in the notes of a JavaScriptError.
_MOST_TRACE = 4000


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


class JavaScriptError(Exception):
    """What a JavaScript function that Python called threw, or what its promise was rejected with.

    ``name`` and ``message`` are those of the JavaScript error, ``stack`` its stack as Node prints
    it, ``code`` its code or None. Where the error came from Python in the first place (the function
    called a handler that raised), ``report`` describes that exception: type, message, traceback.
    """

    __module__ = "rxjs_python.host"

    def __init__(self, description: dict[str, Any]) -> None:
        self.name = str(description.get("name") or "Error")
        self.message = str(description.get("message") or "")
        self.stack = str(description.get("stack") or "")
        self.code: str | None = description.get("code")
        self.report: dict[str, Any] | None = description.get("report")
        super().__init__(f"{self.name}: {self.message}" if self.message else self.name)
        cause = description.get("cause")
        if cause is not None:
            self.__cause__ = JavaScriptError(cause)
        # Shown by tracebacks from Python 3.11 on, and in reports of any.
        trace = (self.report and self.report.get("traceback")) or self.stack
        if trace:
            where = "Python" if self.report else "JavaScript"
            # Notes end up in the tracebacks of errors around this one, again and again.
            self.__notes__ = [f"in {where}:\n{trace[-_MOST_TRACE:].rstrip()}"]

    def __reduce__(self) -> tuple[Any, ...]:
        cause = self.__cause__
        description = {
            "name": self.name,
            "message": self.message,
            "stack": self.stack,
            "code": self.code,
            "report": self.report,
            "cause": cause.__reduce__()[1][0] if isinstance(cause, JavaScriptError) else None,
        }
        return JavaScriptError, (description,)


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
