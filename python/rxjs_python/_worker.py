"""A worker process of isolation 'process': this Python, with the native core loaded into it.

Started by the pool as ``python -c …`` with descriptors for a socket, shared memory and a file for
fault reports; see native/process/child.cc.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FAULTS = 5
_MODULE = "_rxjs_python_worker"


class _Spec:
    """What the loader of extension modules wants to know."""

    name = _MODULE

    def __init__(self, origin: str) -> None:
        self.origin = origin


def main(addon: str) -> None:
    """Serves calls until the pool closes. `addon` is the path of the native core."""
    try:
        _prepare()
        run = _load(addon)
    except BaseException:
        import traceback

        # Where the pool looks when the process ends before it is ready.
        os.write(_FAULTS, traceback.format_exc().encode("ascii", "backslashreplace"))
        raise SystemExit(1) from None
    run()


def _prepare() -> None:
    import faulthandler
    import signal

    sys.argv[:] = [""]
    faulthandler.enable(file=_FAULTS)
    # Ctrl-C and a service's stop reach the whole group of processes; Node decides what they mean,
    # and this process ends with it. Not SIG_IGN, which programs started from here would inherit.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _pass)


def _pass(_number: int, _frame: object) -> None:
    pass


def _load(addon: str) -> Any:
    import _imp

    flags = sys.getdlopenflags()
    sys.setdlopenflags(os.RTLD_LAZY)
    try:
        _imp.create_dynamic(_Spec(addon))
    except RuntimeError:  # it is not a module, and says so; what is wanted is there
        pass
    finally:
        sys.setdlopenflags(flags)
    return sys.modules["_rxjs_python_entry"].run  # type: ignore[attr-defined]
