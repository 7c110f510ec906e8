"""Free-threaded builds: whether the GIL is on after all, and which import switched it on.

Such a build switches its GIL on, for good, when an extension module is imported that does not say
that it works without one. Threads then take turns as in any other build, which nobody would notice
but by the clock: therefore the pools are told.
"""

from __future__ import annotations

import json
import sys
from _thread import allocate_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# True where the GIL is on. Missing in builds that always have one, before 3.13.
_is_enabled = getattr(sys, "_is_gil_enabled", None)

_tell: Callable[[str], Any] | None = None


def install(notice: Callable[[str], Any]) -> None:
    """Watches the imports of a free-threaded build; `notice` takes JSON, {"gil": state, …}.

    `state` is "enabled" where the GIL was on from the start (PYTHON_GIL=1, -X gil=1), "reenabled"
    from the moment when an import has switched it on; "imports" then names what was imported.
    """
    global _tell
    if _is_enabled is None or "t" not in sys.abiflags:  # not a free-threaded build
        return
    _tell = notice
    if _is_enabled():
        _watch.state = "enabled"
    else:
        _watch.install()


def announce() -> None:
    """Tells the pools how it stands, unless it stands as it should; for pools that open later."""
    if _tell is not None and _watch.state != "disabled":
        _tell(json.dumps({"gil": _watch.state, "imports": _watch.imports}))


class _Watch:
    """Looks at the GIL after each import of an extension module.

    While one is being created, the GIL is on for its time in any case. So what counts is the state
    when no thread is creating one, and all that were created since the last such moment may be the
    cause; mostly, that is one.
    """

    def __init__(self) -> None:
        self.state = "disabled"
        self.imports: list[str] = []
        self._lock = allocate_lock()
        self._creating = 0
        self._created: list[str] = []

    def install(self) -> None:
        from importlib.machinery import ExtensionFileLoader

        create = ExtensionFileLoader.create_module
        watch = self

        def create_module(self: ExtensionFileLoader, spec: Any) -> Any:
            if watch.state != "disabled":
                return create(self, spec)
            watch.begin()
            try:
                return create(self, spec)
            finally:
                watch.end(spec.name)

        ExtensionFileLoader.create_module = create_module  # type: ignore[method-assign]

    def begin(self) -> None:
        with self._lock:
            self._creating += 1

    def end(self, name: str) -> None:
        with self._lock:
            self._creating -= 1
            self._created.append(name)
            if self._creating > 0:
                return
            created, self._created = self._created, []
            if self.state != "disabled" or _is_enabled is None or not _is_enabled():
                return
            self.state, self.imports = "reenabled", created
        announce()


_watch = _Watch()
