"""Futures for what JavaScript answers. Loaded with the first of them, being slow to load."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from time import monotonic

from ._callback import FOREVER, Native, begin
from ._errors import JavaScriptError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    FutureOfAny = Future[Any]
else:
    FutureOfAny = Future

# Seconds after which the thread that brings answers to futures ends, when there is none to bring.
_IDLE = 5.0


class CallbackFuture(FutureOfAny):
    """A future whose waits let the interpreter run what the callback asks of it.

    ``cancel`` forgets the answer; JavaScript is not interrupted.
    """

    def __init__(self, owner: Answers) -> None:
        super().__init__()
        self.number = 0
        self._owner = owner

    def result(self, timeout: float | None = None) -> Any:
        return super().result(self._help(timeout))

    def exception(self, timeout: float | None = None) -> BaseException | None:
        return super().exception(self._help(timeout))

    def _help(self, timeout: float | None) -> float | None:
        """Waits where the answer can be waited for; returns the time that is left."""
        until = None if timeout is None else monotonic() + timeout
        while not self.done():
            left = FOREVER if until is None else until - monotonic()
            if left <= 0:
                break
            answer = Native.core.callback_wait(self.number, left)
            if answer is not None:
                ok, value = answer
                if ok is not None:  # else the thread below has it
                    self._owner.settle(self.number, ok, value)
                break
        return None if until is None else max(0.0, until - monotonic())


class Answers:
    """Brings answers to their futures, on a thread that is there while there are any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._futures: dict[int, CallbackFuture] = {}
        self._running = False

    def submit(self, name: str, args: tuple[Any, ...]) -> CallbackFuture:
        future = CallbackFuture(self)
        with self._lock:
            future.number = begin(name, args, True)
            self._futures[future.number] = future
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, name="rxjs-python-answers", daemon=True).start()
        return future

    def settle(self, number: int, ok: bool, value: Any) -> None:
        with self._lock:
            future = self._futures.pop(number, None)
        if future is None or not future.set_running_or_notify_cancel():
            return
        if ok:
            future.set_result(value)
        else:
            future.set_exception(JavaScriptError(value))

    def _run(self) -> None:
        while True:
            answer = Native.core.callback_next(_IDLE)
            if answer is not None:
                self.settle(*answer)
                continue
            with self._lock:
                if not self._futures:
                    self._running = False
                    return


answers = Answers()
