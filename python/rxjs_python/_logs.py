"""Records of the `logging` module that nobody else handles, on their way to JavaScript.

Importing `logging` takes longer than the rest of the start together, and many handlers never need
it: it is prepared at the moment somebody imports it.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def install(log: Callable[[str], Any]) -> None:
    """Replaces logging.lastResort, now or when `logging` is imported, by a handler for `log`.

    `log` gets a JSON object: level (Python's name, such as "WARNING"), logger, message, time
    (milliseconds since 1970, as in JavaScript's Date) and traceback where the record has one.
    """
    if "logging" in sys.modules:
        _replace_last_resort(log)
    else:
        sys.meta_path.insert(0, _LoggingWatch(log))


def _replace_last_resort(log: Callable[[str], Any]) -> None:
    import json
    import logging

    plain = logging.Formatter()

    class NativeLogHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            try:
                entry: dict[str, Any] = {
                    "level": record.levelname,
                    "logger": record.name,
                    "message": record.getMessage(),
                    "time": record.created * 1000,
                }
                if record.exc_info:
                    entry["traceback"] = record.exc_text or plain.formatException(record.exc_info)
                elif record.stack_info:
                    entry["traceback"] = record.stack_info
                log(json.dumps(entry))
            except Exception:
                self.handleError(record)

    logging.lastResort = NativeLogHandler(logging.WARNING)
    configure = logging.basicConfig

    def basic_config(**options: Any) -> None:
        # logging.warning() and its like call it without options where nothing is set up, to have
        # at least a stream; here lastResort is better than that.
        if options:
            configure(**options)

    logging.basicConfig = basic_config


class _LoggingWatch:
    """Stands first in sys.meta_path until `logging` is imported, then steps aside."""

    def __init__(self, log: Callable[[str], Any]) -> None:
        self._log = log

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != "logging":
            return None
        finders = [finder for finder in sys.meta_path if finder is not self]
        sys.meta_path[:] = finders
        for finder in finders:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, "__dict__") and not isinstance(spec.loader, type):
                    self._extend(spec.loader)
                return spec
        return None

    def _extend(self, loader: Any) -> None:
        execute = loader.exec_module

        def exec_module(module: Any) -> None:
            del loader.exec_module  # a zip importer goes on to serve other modules
            execute(module)
            _replace_last_resort(self._log)

        loader.exec_module = exec_module
