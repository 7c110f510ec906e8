"""Stopping the call that is running: a signal whose Python handler raises."""

from __future__ import annotations

import sys

from ._errors import Interrupted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def install(native: Any, signal_number: int) -> None:
    """Makes `signal_number` raise ``Interrupted`` in this runtime's main thread.

    The question to `native` keeps a signal that comes late, when its call has already ended, from
    hitting the next call on the same thread.
    """
    import signal

    requested = native.interrupt_requested

    def stop(_signal: int, _frame: object) -> None:
        if requested() or in_step(native):
            raise Interrupted("the call was asked to stop")

    signal.signal(signal_number, stop)


def in_step(native: Any) -> bool:
    """Whether the code that runs belongs to a batch in flight that was asked to stop."""
    tasks = sys.modules.get("rxjs_python._tasks")
    return tasks is not None and tasks.current.get() == native.interrupted() != 0
