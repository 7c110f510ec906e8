"""An exception as plain data, so that it can leave this interpreter: describe_error()."""

from __future__ import annotations

import os

from ._errors import EXCEPTION, HandlerError, Interrupted, JavaScriptError, ResultError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

MAX_CAUSES = 8
# Characters of a traceback that are passed on; more is cut out of the middle.
MAX_TRACEBACK = 64 * 1024
MAX_MESSAGE = 64 * 1024

_OWN_FOLDER = os.path.dirname(os.path.abspath(__file__)) + os.sep

_LAST_WORD = (
    '{"code": "ERR_PYTHON_EXCEPTION", "type": "%s", "message": "an exception that could not be '
    'described (%s)", "traceback": "", "notes": [], "cause": null, "item": null}'
)


def describe_error(error: BaseException) -> str:
    """The report of `error` as JSON in ASCII. Never raises, whatever the exception is made of.

    Fields: code, type, message, traceback (the full text, as Python prints it), notes, cause (a
    report, or null) and item (index in the batch, or null).
    """
    failure = "unknown"
    for _attempt in range(2):  # an interrupt that comes late may end the first one
        try:
            import json

            return json.dumps(_report(error, 0, set()))
        except BaseException as problem:
            failure = type(problem).__name__
    name = "".join(each for each in type(error).__name__ if each.isascii() and each.isidentifier())
    return _LAST_WORD % (name, failure)


def _report(error: BaseException, depth: int, seen: set[int]) -> dict[str, Any]:
    seen.add(id(error))
    code = EXCEPTION
    message = None
    if isinstance(error, (HandlerError, ResultError, Interrupted)):
        code = str(error.code)
    index = _item(error)
    ours = isinstance(error, (HandlerError, ResultError))
    if isinstance(error, HandlerError) and error.origin is not None:
        message = _text_of(error)
        error = error.origin
        seen.add(id(error))
        index = index if index is not None else _item(error)
    return {
        "code": code,
        "type": type_name(type(error)),
        "message": (message or message_of(error))[:MAX_MESSAGE],
        "traceback": _traceback_of(error, ours, chain=depth == 0),
        "notes": _notes_of(error),
        "cause": _cause_of(error, depth, seen),
        "item": index,
    }


def _item(error: BaseException) -> int | None:
    index = getattr(error, "__rxp_item__", None)
    return index if isinstance(index, int) else None


def type_name(kind: type) -> str:
    """The name as tracebacks print it: with its module, unless that says nothing."""
    name = str(kind.__qualname__)
    module = kind.__module__
    if not isinstance(module, str) or module in ("builtins", "__main__"):
        return name
    return f"{module}.{name}"


def message_of(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        status = "" if error.code is None else _repr_of(error.code)
        return (
            f"sys.exit({status}) was called. It does not end the process that Python is embedded "
            "in; to reject the batch, raise an exception"
        )
    text = _text_of(error)
    if text:
        return text
    if isinstance(error, Interrupted):
        return "the call was asked to stop"
    if isinstance(error, MemoryError):
        return "Python could not get the memory it asked for"
    return ""


def _text_of(value: object) -> str:
    try:
        return str(value)
    except Exception as problem:
        return f"<no text: its __str__ raised {type(problem).__name__}>"


def _repr_of(value: object) -> str:
    try:
        return repr(value)
    except Exception:
        return f"<{type(value).__name__}>"


def _notes_of(error: BaseException) -> list[str]:
    notes = getattr(error, "__notes__", None)
    if not isinstance(notes, (list, tuple)):
        return []
    return [_text_of(note)[:MAX_MESSAGE] for note in notes]


def _cause_of(error: BaseException, depth: int, seen: set[int]) -> dict[str, Any] | None:
    if isinstance(error, JavaScriptError) and error.report is not None:
        return _returned(error, error.report, depth + 1)
    cause = error.__cause__
    if cause is None and not error.__suppress_context__:
        cause = error.__context__
    if cause is None or id(cause) in seen or depth + 1 >= MAX_CAUSES:
        return None
    return _report(cause, depth + 1, seen)


def _returned(error: JavaScriptError, report: dict[str, Any], depth: int) -> dict[str, Any]:
    """The report of a Python exception that has come back by way of JavaScript."""
    cause = error.__cause__
    inner = None
    if isinstance(cause, JavaScriptError) and depth + 1 < MAX_CAUSES:
        if cause.report is not None:
            inner = _returned(cause, cause.report, depth + 1)
        else:
            inner = _report(cause, depth + 1, set())
    return {
        "code": str(report.get("code") or EXCEPTION),
        "type": str(report.get("type") or ""),
        "message": str(report.get("message") or ""),
        "traceback": str(report.get("traceback") or ""),
        "notes": [str(note) for note in report.get("notes") or []],
        "cause": inner,
        "item": None,
    }


def _traceback_of(error: BaseException, ours: bool, chain: bool) -> str:
    """As Python prints it, from the handler's first frame on.

    Where there is no such frame: only the exception for `ours` (found by looking at the handler, so
    our frames say nothing about it), and everything for any other.
    """
    try:
        import traceback

        shown = _handler_part(error.__traceback__)
        if shown is None and not ours:
            shown = error.__traceback__
        text = "".join(traceback.format_exception(type(error), error, shown, chain=chain))
    except Exception as problem:
        # MemoryError, RecursionError, or an exception that traceback cannot print: the line that
        # matters still goes out.
        text = (
            f"{type_name(type(error))}: {message_of(error)}\n"
            f"(no traceback: {type(problem).__name__} while it was being written)\n"
        )
    if len(text) > MAX_TRACEBACK:
        half = MAX_TRACEBACK // 2
        left_out = len(text) - 2 * half
        text = f"{text[:half]}\n[… {left_out} characters left out …]\n{text[-half:]}"
    return text


def _handler_part(traceback: TracebackType | None) -> TracebackType | None:
    """The traceback from the first frame on that is neither ours nor the import system's."""
    while traceback is not None and is_host_file(traceback.tb_frame.f_code.co_filename):
        traceback = traceback.tb_next
    return traceback


def is_host_file(name: str) -> bool:
    return (
        name.startswith(_OWN_FOLDER)
        or name.startswith("<frozen importlib")
        or name.endswith(os.path.join("importlib", "__init__.py"))
    )
