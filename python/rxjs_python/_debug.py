"""Handlers that wait for a debugger: ``debug`` in the options of a pool or a handler.

debugpy listens once for each runtime, and cannot stop listening; whatever is debugged in that
runtime shares the address. What it serves its clients from is a process of its own, started with
this Python's executable, which ends with the runtime's process.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time

from ._errors import INIT, HandlerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# Seconds for which a port that is taken is tried again: a worker process that takes the place of a
# crashed one finds the port in use until the last one's debugger has noticed.
_PORT_TIME = 3.0

_tell: Callable[[str], Any] | None = None


def install(notice: Callable[[str], Any]) -> None:
    """`notice` takes JSON, {"debug": {"key": whose, "handler", "host", "port", "state"}}."""
    global _tell
    _tell = notice


class _Server:
    """What listens for debuggers in this runtime."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._address: tuple[str, int] | None = None

    def listen(self, host: str, port: int) -> tuple[str, int]:
        """Listens, unless it does already; then the address stays as it is."""
        with self._lock:
            if self._address is None:
                self._address = _listen(host, port)
            return self._address


_server = _Server()


def _listen(host: str, port: int) -> tuple[str, int]:
    # Only modules of the standard library are frozen, and nobody sets breakpoints there.
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    try:
        import debugpy
    except ImportError as error:
        raise HandlerError(
            INIT,
            f"'debug' needs the package debugpy, which this Python lacks ({sys.executable}): "
            f"{sys.executable} -m pip install debugpy",
            error,
        ) from error
    # An embedded Python's executable may be what embeds it, which is no Python.
    debugpy.configure(python=_python(), subProcess=False)
    until = time.monotonic() + _PORT_TIME
    while True:
        try:
            where = debugpy.listen((host, port))
            return str(where[0]), int(where[1])
        except RuntimeError as error:
            if port == 0 or time.monotonic() > until:
                raise HandlerError(
                    INIT, f"no debugger can connect at {host}:{port}: {error}", error
                ) from error
        time.sleep(0.1)


def _python() -> str:
    """An executable that runs this Python."""
    name = os.path.basename(sys.executable or "")
    if "python" in name or "pypy" in name:
        return sys.executable
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    for folder in (os.path.join(sys.prefix, "bin"), os.path.join(sys.base_prefix, "bin")):
        for each in (f"python{version}", "python3"):
            path = os.path.join(folder, each)
            if os.access(path, os.X_OK):
                return path
    raise HandlerError(INIT, f"there is no Python beside {sys.prefix} to serve debuggers with")


class Debugged:
    """A handler that is loaded when a debugger has attached, or at once where none is waited for.

    So breakpoints in the module and in its set-up are reached, too. Every thread that calls it is
    traced.
    """

    def __init__(
        self,
        name: str,
        options: dict[str, Any],
        key: str,
        load: Callable[[], tuple[Callable[[Any], Any], Any]],
    ) -> None:
        self.name = name
        self._waits = options.get("wait", True)
        self._key = key
        self._load = load
        self._loading = threading.RLock()
        self._loaded: tuple[Callable[[Any], Any], Any] | None = None
        self._state = ""
        self._address = _server.listen(options.get("host") or "127.0.0.1", options.get("port") or 0)
        self._report("attached" if self._is_attached() else "listening")
        if self._waits and not self._is_attached():
            # Batches are held back in JavaScript until this says so: the interpreter is free.
            threading.Thread(target=self._watch, name="rxjs-python-debug", daemon=True).start()

    def __call__(self, batch: Any) -> Any:
        call = self.loaded()[0]
        import debugpy

        attached = self._is_attached()
        self._report("attached" if attached else "listening")
        if attached:
            debugpy.trace_this_thread(True)
        return call(batch)

    def loaded(self) -> tuple[Callable[[Any], Any], Any]:
        """What is called, and the object that it belongs to; loads them the first time."""
        with self._loading:
            if self._loaded is None:
                self._wait()
                self._loaded = self._load()
            return self._loaded

    def _watch(self) -> None:
        import debugpy

        debugpy.wait_for_client()
        self._report("attached")

    def _wait(self) -> None:
        """For a batch that could not be held back, as its worker process is a new one."""
        import debugpy

        if self._waits and not self._is_attached():
            self._report("waiting")
            debugpy.wait_for_client()
        if self._is_attached():
            self._report("attached")
            debugpy.trace_this_thread(True)

    def _is_attached(self) -> bool:
        import debugpy

        return bool(debugpy.is_client_connected())

    def _report(self, state: str) -> None:
        if state == self._state or _tell is None:
            return
        self._state = state
        host, port = self._address
        entry = {
            "key": self._key,
            "handler": self.name,
            "host": host,
            "port": port,
            "state": state,
        }
        _tell(json.dumps({"debug": entry}))
