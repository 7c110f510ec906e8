"""Handlers that are given as source text."""

from __future__ import annotations

import sys
from _thread import allocate_lock
from collections import deque
from itertools import count
from types import ModuleType

from . import _load, _results, _suggest
from ._errors import NOT_FOUND, SYNTAX, HandlerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

# Sources whose lines stay known after they are closed, for tracebacks that are still on their way.
_REMEMBERED = 32

# Where a module keeps what a source that is one expression came to.
_VALUE = "__rxp_value__"

# Of all hosts: whoever touches these two holds the lock.
_numbers = count(1)
_released: deque[str] = deque()
_lock = allocate_lock()


class InlineSources:
    """The modules made of inline source in one Host; equal text is one module, with one state."""

    def __init__(self) -> None:
        self._modules: dict[str, ModuleType] = {}
        self._uses: dict[str, int] = {}

    def load(self, source: str, function: str | None) -> Any:
        """The function (or class) that `source` defines. Each success needs one release()."""
        module = self._modules.get(source)
        if module is None:
            module = _execute(source)
            self._modules[source] = module
        try:
            target = _choose(module, function)
        except BaseException:
            if not self._uses.get(source):
                self._drop(source)
            raise
        self._uses[source] = self._uses.get(source, 0) + 1
        return target

    def release(self, source: str) -> bool:
        """Ends one use; True where it was the last and the module is gone."""
        self._uses[source] = self._uses.get(source, 0) - 1
        if self._uses[source] > 0:
            return False
        self._drop(source)
        return True

    def close(self) -> None:
        for source in list(self._modules):
            self._drop(source)

    def _drop(self, source: str) -> None:
        self._uses.pop(source, None)
        module = self._modules.pop(source, None)
        if module is not None:
            sys.modules.pop(module.__name__, None)
            _release_lines(str(module.__file__))


def _execute(source: str) -> ModuleType:
    import linecache
    import textwrap

    # JavaScript's template strings keep the indentation of the code around them.
    text = textwrap.dedent(source)
    with _lock:
        number = next(_numbers)
    file = f"<handler inline-{number}>"
    module = ModuleType(f"rxjs_python_inline_{number}")
    module.__file__ = file
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)
    # Registered like any module: dataclasses, typing and inspect look their classes' modules up.
    sys.modules[module.__name__] = module
    try:
        code, is_expression = _compile(text, file)
        if is_expression:
            module.__dict__[_VALUE] = eval(code, module.__dict__)
        else:
            exec(code, module.__dict__)
    except BaseException:
        _discard(module, file)
        raise
    return module


def _compile(text: str, file: str) -> tuple[CodeType, bool]:
    """The code of `text`, and whether it is a single expression (`lambda batch: …`)."""
    try:
        return compile(text, file, "eval", dont_inherit=True), True
    except (SyntaxError, ValueError):
        pass  # statements, or a mistake that is reported below, without this error as context
    try:
        return compile(text, file, "exec", dont_inherit=True), False
    except ValueError as error:  # a NUL character; a SyntaxError from Python 3.12 on
        line = text.count("\n", 0, text.find("\0")) + 1
        raise HandlerError(SYNTAX, f"{error} ({file}, line {line})") from None


def _discard(module: ModuleType, file: str) -> None:
    sys.modules.pop(module.__name__, None)
    _release_lines(file)


def _choose(module: ModuleType, function: str | None) -> Any:
    where = "the inline source"
    if _VALUE in module.__dict__ and function is None:
        value = module.__dict__[_VALUE]
        if not callable(value):
            kind = _results.article(type(value).__name__)
            raise HandlerError(NOT_FOUND, f"{where} comes to {kind}, which cannot be called")
        return value
    if function is not None:
        return _load.pick(module, function, where)
    if _load.DEFAULT_FUNCTION in module.__dict__:
        return _load.pick(module, _load.DEFAULT_FUNCTION, where)
    names = _suggest.functions_of(module)
    if len(names) == 1:
        return module.__dict__[names[0]]
    if not names:
        raise HandlerError(NOT_FOUND, f"{where} defines no function and no class")
    raise HandlerError(
        NOT_FOUND,
        f"{where} defines {', '.join(names)}, and none of them is named "
        f"{_load.DEFAULT_FUNCTION!r}. Name one so, or choose with the spec's `function`.",
    )


def _release_lines(file: str) -> None:
    """Lets the source lines of `file` go, though not at once: a traceback may need them yet."""
    with _lock:
        _released.append(file)
        old = _released.popleft() if len(_released) > _REMEMBERED else None
    linecache: Any = sys.modules.get("linecache")
    if old is not None and linecache is not None:
        linecache.cache.pop(old, None)
