"""The entry of the native core: everything that it calls, and nothing else.

Loaded at the start of every runtime, so it imports little: asyncio, numpy, traceback and logging
are imported where they are first needed.
"""

from __future__ import annotations

import json
import os
import sys

# Imported here, on the runtime's main thread, because Python up to 3.12 takes the thread that
# imports it first for the main thread.
import threading

from . import _async, _callback, _debug, _gil, _interrupt, _logs, _output
from ._aggregate import Programs, is_aggregate
from ._call import call_method, shape
from ._columns import from_columns, to_columns
from ._convert import from_array, from_buffer, json_default, numpy_for, to_array
from ._errors import (
    INIT,
    HandlerError,
    Interrupted,
    ResultEncodeError,
    ResultError,
    ResultLengthError,
    ResultTypeError,
)
from ._load import Loader, fail
from ._output import flush_output, pending_output
from ._report import describe_error
from ._results import as_list
from ._snapshot import StateOf
from ._types import BigInt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = [
    "BigInt",
    "HandlerError",
    "Host",
    "Interrupted",
    "ResultEncodeError",
    "ResultError",
    "ResultLengthError",
    "ResultTypeError",
    "as_list",
    "boot",
    "describe_error",
    "enable_fault_reports",
    "flush_output",
    "from_array",
    "from_buffer",
    "from_columns",
    "json_default",
    "pending_output",
    "to_array",
    "to_columns",
]

# Modules whose libraries Node exports the symbols of, in versions of its own. Imported once with
# RTLD_DEEPBIND they, and whoever shares their libraries later, keep to Python's.
_NODE_SHARES = ("_ssl", "_hashlib", "zlib", "pyexpat", "_sqlite3")

_open_hosts = 0
_open_hosts_lock = threading.Lock()


def boot(native: Any, signal_number: int, deep_bind: bool) -> None:
    """Prepares a runtime, once, on its main thread.

    `native` has write(stream, text), log(json), notice(json) and interrupt_requested().
    `signal_number` is the signal that interrupts this runtime's main thread.
    """
    if deep_bind:
        _import_deep_bound()
    _output.install(native)
    _logs.install(native.log)
    _gil.install(native.notice)
    _debug.install(native.notice)
    _interrupt.install(native, signal_number)
    _callback.install(native)


def _import_deep_bound() -> None:
    deep_bind = getattr(os, "RTLD_DEEPBIND", None)
    if deep_bind is None:  # only glibc has it
        return
    flags = sys.getdlopenflags()
    sys.setdlopenflags(os.RTLD_NOW | deep_bind)
    try:
        for name in _NODE_SHARES:
            try:
                __import__(name)
            except ImportError:
                pass  # built without that library: then there is nothing to protect
    finally:
        sys.setdlopenflags(flags)


def enable_fault_reports(signal_number: int) -> bool:
    """Lets faulthandler install its function for a signal, and says whether it did.

    The native core takes that function from there, and calls it when the process crashes
    (native/platform/faults.h). Not faulthandler.enable(), which takes SIGSEGV from V8, who needs it
    to turn a WebAssembly access out of bounds into an exception.
    """
    try:
        import faulthandler

        faulthandler.register(signal_number, file=2, all_threads=True, chain=False)
    except (ImportError, AttributeError, OSError, RuntimeError, ValueError):
        return False
    return True


def _number(text: str) -> float:
    """A number of a request that is not a plain int; only a JavaScript BigInt has a capital E."""
    return BigInt(text[:-2]) if text.endswith("E0") else float(text)


def _prepare(codec: str) -> None:
    """Imports numpy before the first batch, which may be interrupted in the middle."""
    try:
        numpy_for(codec)
    except HandlerError:
        pass  # the batch that needs it will say so


class _Open:
    """An open handler: what is called, and the inline sources that live as long as it does."""

    __slots__ = ("call", "name", "request", "sources", "target")

    def __init__(
        self, call: Callable[[Any], Any], name: str, sources: list[str], target: Any
    ) -> None:
        self.call = call
        self.name = name
        self.request = ""
        self.sources = sources
        self.target = target


class Host:
    """The handlers of one pool in one runtime. Several threads may use it at a time."""

    def __init__(self, options: str) -> None:
        """`options`: JSON, {"path": [folders that join sys.path], "name": the pool's name, …}.

        "key" tells this pool's debuggers from those of others.
        """
        global _open_hosts
        settings = json.loads(options)
        self.name = settings.get("name") or "pool"
        self._key = settings.get("key") or ""
        self._lock = threading.RLock()
        self._loops = _async.Loops()
        self._loader = Loader(settings.get("path") or [])
        self._handlers: dict[int, _Open] = {}
        self._initialised: dict[str, str | None] = {}
        self._closed = False
        with _open_hosts_lock:
            _open_hosts += 1
        _gil.announce()

    def handler(self, identity: int) -> Callable[[Any], Any]:
        """The callable of an open handler: takes a batch, returns the results."""
        return self._handlers[identity].call

    def control(self, text: str) -> str:
        """Does what the JSON object in `text` asks for, and answers with one."""
        request = json.loads(text, parse_float=_number)
        operation = request["op"]
        with self._lock:
            if operation == "open":
                return json.dumps({"name": self._open(request, text)})
            if operation == "close":
                self._close(request["id"])
                return "{}"
            if operation == "info":
                return json.dumps(self._info())
        raise ValueError(f"no such operation: {operation!r}")

    def close(self) -> None:
        """Closes the handlers and event loops, and leaves the runtime as it was before."""
        global _open_hosts
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for identity in list(self._handlers):
                self._close(identity)
            self._initialised.clear()
            self._loops.close()
            self._loader.close()
        with _open_hosts_lock:
            _open_hosts -= 1
            last = _open_hosts == 0
        if last:
            _async.shared_loops.close()
        flush_output()

    def _open(self, request: dict[str, Any], text: str) -> str:
        identity = request["id"]
        known = self._handlers.get(identity)
        if known is not None:
            if known.request == text:  # another thread of this interpreter has opened it
                return known.name
            # Numbers are used again, and nothing may ever answer for one that came later.
            self._close(identity)
        name = self._open_anew(identity, request)
        self._handlers[identity].request = text
        return name

    def _open_anew(self, identity: int, request: dict[str, Any]) -> str:
        sources: list[str] = []
        if request["spec"]["kind"] == "state":
            return self._open_state(identity, request["spec"]["of"])
        debug = request.get("debug")
        if debug:
            self._open_debugged(identity, request, debug)
        else:
            call, target, name = self._make(request, sources)
            self._handlers[identity] = _Open(call, name, sources, target)
        return self._handlers[identity].name

    def _make(self, request: dict[str, Any], sources: list[str]) -> tuple[Any, Any, str]:
        """What is called, the object that it belongs to, and a name to show."""
        try:
            if request.get("init"):
                self._initialise(request["init"], sources)
            target, name = self._load(request["spec"], sources)
            if isinstance(target, type):
                target = self._instance(target, name)
            mode, codec = request.get("mode") or "map", request.get("codec") or "json"
            if codec in ("array", "columns"):
                _prepare(codec)
            return shape(target, mode, codec, request.get("seed"), self._loops), target, name
        except BaseException:
            self._release(sources)
            sources.clear()
            raise

    def _open_debugged(self, identity: int, request: dict[str, Any], options: Any) -> None:
        sources: list[str] = []
        name = request["name"]

        def load() -> tuple[Any, Any]:
            with self._lock:
                call, target, _ = self._make(request, sources)
                return call, target

        debugged = _debug.Debugged(name, options, self._key, load)
        self._handlers[identity] = _Open(debugged, name, sources, None)

    def _open_state(self, identity: int, of: int) -> str:
        handler = self._handlers[of]
        name = f"{handler.name} (state)"
        call, target = handler.call, handler.target
        if isinstance(call, _debug.Debugged):
            call, target = call.loaded()
        # The accumulators of an aggregate are not its own.
        owner = call if isinstance(call, Programs) else target
        self._handlers[identity] = _Open(StateOf(owner), name, [], None)
        return name

    def _close(self, identity: int) -> None:
        handler = self._handlers.pop(identity, None)
        if handler is not None:
            self._release(handler.sources)

    def _load(self, spec: dict[str, Any], sources: list[str]) -> tuple[Any, str]:
        target, name = self._loader.load(spec)
        if spec["kind"] == "source":
            sources.append(spec["source"])
        return target, name

    def _release(self, sources: list[str]) -> None:
        for source in sources:
            if self._loader.inline.release(source):
                # The module's next life has to be set up again.
                for key in [key for key, value in self._initialised.items() if value == source]:
                    del self._initialised[key]

    def _initialise(self, spec: dict[str, Any], sources: list[str]) -> None:
        """Runs a set-up function, unless it has run in this interpreter already."""
        key = json.dumps(spec, sort_keys=True)
        set_up, name = self._load(spec, sources)
        if key in self._initialised:
            return
        try:
            result = set_up()
            if hasattr(result, "__await__"):
                self._loops.run(result)
        except BaseException as error:
            fail(error, name)
        self._initialised[key] = spec["source"] if spec["kind"] == "source" else None

    def _instance(self, kind: type, name: str) -> Any:
        if call_method(kind) is None and not is_aggregate(kind):
            raise HandlerError(
                INIT, f"{name} is a class without __call__(self, batch), so it cannot be a handler"
            )
        try:
            return kind()
        except BaseException as error:
            fail(error, name)

    def _info(self) -> dict[str, Any]:
        gil = getattr(sys, "_is_gil_enabled", None)
        return {
            "version": ".".join(str(part) for part in sys.version_info[:3]),
            "executable": sys.executable,
            "prefix": sys.prefix,
            "gil": True if gil is None else gil(),
            "handlers": len(self._handlers),
            "modules": len(sys.modules),
            "path": list(sys.path),
        }
