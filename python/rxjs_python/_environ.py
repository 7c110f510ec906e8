"""Environment variables of a task: seen by its own code, whatever else runs in this Python."""

from __future__ import annotations

import os
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_current: ContextVar[dict[str, str] | None] = ContextVar("rxjs_python_environ", default=None)
_lock = Lock()
# For each variable, the values of the tasks that have set it, in the order in which they did.
_values: dict[str, list[tuple[object, str]]] = {}
_before: dict[str, str | None] = {}


class _Environ(type(os.environ)):  # type: ignore[misc]
    """``os.environ`` in which the variables of the task that looks come first."""

    def __getitem__(self, key: str) -> str:
        own = _current.get()
        if own is not None and key in own:
            return own[key]
        value: str = super().__getitem__(key)
        return value


@contextmanager
def environment(env: dict[str, str]) -> Iterator[None]:
    """Sets variables for what runs inside.

    Threads share the process's variables, so those are only where C code and processes look that a
    task starts, and threads of its own: there, the task that has begun last is seen.
    """
    if not env:
        yield
        return
    task = object()
    with _lock:
        if type(os.environ) is not _Environ:
            os.environ.__class__ = _Environ  # type: ignore[assignment]
        for name, value in env.items():
            values = _values.setdefault(name, [])
            if not values:
                _before[name] = os.environ.get(name)
            values.append((task, value))
            os.environ[name] = value
    token = _current.set({**(_current.get() or {}), **env})
    try:
        yield
    finally:
        _current.reset(token)
        with _lock:
            for name in env:
                _leave(name, task)


def _leave(name: str, task: object) -> None:
    values = [each for each in _values[name] if each[0] is not task]
    _values[name] = values
    left = values[-1][1] if values else _before.pop(name)
    if left is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = left
