"""Serves a handler of a running program from this process: one that an editor debugs, say.

The program's handler has the option ``debug: 'local'`` and says where it waits: a socket that only
its user may open. Then, in any Python::

    python -m rxjs_python.serve /run/user/1000/…/handler.sock

or, to serve a function of one's own in the handler's place::

    from rxjs_python.serve import serve
    serve("/run/user/1000/…/handler.sock", handle)

It ends when the program does. Batches that are not answered then wait for the next process.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import sys
import threading
import time
from collections import deque

from . import _callback
from ._convert import json_default
from ._errors import ResultEncodeError
from ._host import Host, _number
from ._report import describe_error
from ._results import as_list
from ._types import BigInt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["Algorunner", "serve"]

VERSION = 1
# The largest whole number that is exact in JavaScript.
_SAFE = (1 << 53) - 1
_ONLY = 1  # number of the handler in the Host


def serve(address: str, function: Callable[..., Any] | None = None, wait: float = 30.0) -> None:
    """Serves the handler that waits at `address`, until its program closes it.

    `function` is called in place of the program's own. `wait`: seconds for the program to be there.
    """
    line = _connect(address[5:] if address.startswith("unix:") else address, wait)
    try:
        _Server(line, function).run()
    finally:
        line.close()


class Algorunner:
    """HKube's name for it."""

    @staticmethod
    def Debug(address: str, start: Callable[..., Any]) -> None:
        serve(address, start)


def _connect(path: str, wait: float) -> socket.socket:
    until = time.monotonic() + wait
    while True:
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            line.connect(path)
            break
        except (FileNotFoundError, ConnectionRefusedError) as error:
            line.close()
            if time.monotonic() > until:
                raise ConnectionError(f"no program waits at {path}: {error}") from None
        except OSError as error:
            line.close()
            raise ConnectionError(f"{path} cannot be opened: {error}") from None
        time.sleep(0.1)
    found = os.stat(path)
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.getuid():
        line.close()
        raise PermissionError(f"{path} belongs to another user, whose programs may not be trusted")
    return line


class _LocalHost(Host):
    def __init__(self, hello: dict[str, Any], function: Callable[..., Any] | None) -> None:
        super().__init__(json.dumps({"path": hello["path"], "name": hello["name"]}))
        self._spec = hello["spec"]
        self._function = function

    def _load(self, spec: dict[str, Any], sources: list[str]) -> tuple[Any, str]:
        if self._function is not None and spec == self._spec:
            name = getattr(self._function, "__qualname__", type(self._function).__name__)
            if spec.get("module") == "rxjs_python._graph":  # an algorithm, start(args, api)
                from . import _graph

                return _graph.running(self._function), name
            return self._function, name
        return super()._load(spec, sources)


class _Server:
    """Takes batches on the thread that made it, which editors take for the main one."""

    def __init__(self, line: socket.socket, function: Callable[..., Any] | None) -> None:
        self._line = line
        self._function = function
        self._thread = threading.get_ident()
        self._sending = threading.Lock()
        self._change = threading.Condition()
        self._calls: deque[tuple[int, list[Any]]] = deque()
        self._ended = False
        self._number = 0
        self._answers: dict[int, tuple[bool, Any]] = {}
        self._waited: set[int] = set()
        self._futures: set[int] = set()
        self._handler: Callable[[Any], Any] | None = None
        self._exact = True

    def run(self) -> None:
        lines = self._line.makefile("r", encoding="utf-8", newline="\n")
        hello = _read(lines.readline())
        if hello is None:
            return
        if "busy" in hello:
            raise ConnectionError(f"process {hello['busy']} serves this handler already")
        if hello.get("version") != VERSION:
            raise ConnectionError(
                "this rxjs_python is of another version than the program's: take it from "
                f"{hello.get('python')}"
            )
        _callback.install(self)
        host = _LocalHost(hello, self._function)
        host.control(json.dumps({"op": "open", "id": _ONLY, **hello["handler"]}))
        self._handler = host.handler(_ONLY)
        self._exact = hello["handler"]["mode"] in ("map", "scan")
        self._send({"ready": os.getpid()})
        print(f"serving {hello['title']}", file=sys.stderr, flush=True)
        threading.Thread(target=self._read_all, args=(lines,), daemon=True).start()
        while True:
            with self._change:
                while not self._calls and not self._ended:
                    self._change.wait()
                if not self._calls:
                    break
                call = self._calls.popleft()
            self._run(*call)
        host.close()

    def _read_all(self, lines: Any) -> None:
        try:
            for text in lines:
                message = _read(text)
                with self._change:
                    if message is not None:
                        self._take(message)
                    self._change.notify_all()
        except (OSError, ValueError):
            pass  # the program has gone
        with self._change:
            self._ended = True
            self._change.notify_all()

    def _take(self, message: dict[str, Any]) -> None:
        if "call" in message:
            self._calls.append((message["call"], message["items"]))
        elif "forget" in message:
            kept = [call for call in self._calls if call[0] != message["forget"]]
            self._calls.clear()
            self._calls.extend(kept)
        elif "answer" in message and message["answer"] in self._waited | self._futures:
            self._answers[message["answer"]] = (message["ok"], message["value"])

    def _run(self, number: int, items: list[Any]) -> None:
        assert self._handler is not None
        try:
            values = as_list(self._handler(items), len(items), self._exact)
            answer = json.dumps({"result": number, "values": _marked(values)}, allow_nan=False)
        except KeyboardInterrupt:
            raise  # from whoever sits before the screen; the batch waits for the next process
        except BaseException as error:
            self._send({"error": number, "report": json.loads(describe_error(error))})
        else:
            self._send_text(answer)

    def _send(self, message: dict[str, Any]) -> None:
        self._send_text(json.dumps(message))

    def _send_text(self, text: str) -> None:
        with self._sending:
            try:
                self._line.sendall(f"{text}\n".encode("ascii"))
            except OSError:
                pass  # the program has gone, which the reader tells

    # What rxjs_python.host asks of the native core elsewhere; see _callback.py and _futures.py.

    def callback_begin(self, request: list[Any], future: bool) -> int:
        name, *arguments = request
        text = json.dumps(_marked(arguments), allow_nan=False)
        with self._change:
            self._number += 1
            number = self._number
            (self._futures if future else self._waited).add(number)
        self._send_text(f'{{"callback":{number},"name":{json.dumps(name)},"args":{text}}}')
        return number

    def callback_wait(self, number: int, seconds: float) -> tuple[Any, Any] | None:
        """The answer; meanwhile batches are run that the callback may wait for."""
        until = time.monotonic() + min(seconds, threading.TIMEOUT_MAX)
        while True:
            with self._change:
                if number in self._answers:
                    return self._taken(number)
                if number not in self._waited | self._futures:
                    return None, None  # another thread has taken it
                left = until - time.monotonic()
                if self._ended:
                    raise ConnectionError("the program that was to answer has gone")
                if left <= 0:
                    return None
                helps = threading.get_ident() == self._thread and bool(self._calls)
                if not helps:
                    self._change.wait(left)
                    continue
                call = self._calls.popleft()
            self._run(*call)

    def callback_next(self, seconds: float) -> tuple[int, bool, Any] | None:
        """Any answer to a future."""
        until = time.monotonic() + seconds
        with self._change:
            while True:
                number = next((each for each in self._futures if each in self._answers), None)
                if number is not None:
                    return (number, *self._taken(number))
                left = until - time.monotonic()
                if left <= 0 or self._ended:
                    return None
                self._change.wait(left)

    def callback_drop(self, number: int) -> None:
        with self._change:
            self._waited.discard(number)
            self._futures.discard(number)
            self._answers.pop(number, None)

    def interrupted(self) -> int:
        return 0

    def _taken(self, number: int) -> tuple[bool, Any]:
        self._waited.discard(number)
        self._futures.discard(number)
        return self._answers.pop(number)


def _read(text: str) -> dict[str, Any] | None:
    if not text.endswith("\n"):
        return None
    message: dict[str, Any] = json.loads(text, parse_float=_number)
    return message


def _marked(value: Any) -> Any:
    """`value` for JSON, with what that has no form for as texts; see native/codec/json_encode.h."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return f"\0{value}" if value[:1] == "\0" else str(value)
    if isinstance(value, int):
        plain = int(value)
        return plain if abs(plain) <= _SAFE and type(value) is not BigInt else f"\0b{plain}"
    if isinstance(value, float):
        if value != value:
            return "\0N"
        if value in (float("inf"), float("-inf")):
            return "\0I" if value > 0 else "\0J"
        return float(value)
    if isinstance(value, (list, tuple)):
        return [_marked(each) for each in value]
    if isinstance(value, dict):
        wrong = next((key for key in value if not isinstance(key, str)), None)
        if wrong is not None:
            raise ResultEncodeError(f"a key of a dict must be a str; {wrong!r} is none")
        return {key: _marked(each) for key, each in value.items()}
    return _marked(json_default(value))


def _main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("python -m rxjs_python.serve SOCKET", file=sys.stderr)
        return 2
    try:
        serve(arguments[0])
    except (ConnectionError, PermissionError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(_main(sys.argv[1:]))
