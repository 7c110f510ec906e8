"""Stopping the call that is running: a signal whose Python handler raises."""

from __future__ import annotations

import sys

from ._errors import Interrupted

# Frames between the innermost one and Popen.wait() or Popen.communicate().
_DEEPEST_WAIT = 8

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any


def install(native: Any, signal_number: int) -> None:
    """Makes `signal_number` raise ``Interrupted`` in this runtime's main thread.

    The question to `native` keeps a signal that comes late, when its call has already ended, from
    hitting the next call on the same thread.
    """
    import signal

    requested = native.interrupt_requested

    def stop(_signal: int, frame: FrameType | None) -> None:
        if requested() or in_step(native):
            _wait_for_no_child(frame)
            raise Interrupted("the call was asked to stop")

    signal.signal(signal_number, stop)


def _wait_for_no_child(frame: FrameType | None) -> None:
    """Keeps subprocess from waiting another 250 ms for the process that it waits for.

    It does so for Ctrl-C, which reaches that process, too. A request to stop does not.
    """
    subprocess = sys.modules.get("subprocess")
    for _ in range(_DEEPEST_WAIT):
        if subprocess is None or frame is None:
            return
        if frame.f_code.co_filename == subprocess.__file__:
            waiter = frame.f_locals.get("self")
            if hasattr(waiter, "_sigint_wait_secs"):
                waiter._sigint_wait_secs = 0
        frame = frame.f_back


def in_step(native: Any) -> bool:
    """Whether the code that runs belongs to a batch in flight that was asked to stop."""
    tasks = sys.modules.get("rxjs_python._tasks")
    return tasks is not None and tasks.current.get() == native.interrupted() != 0
