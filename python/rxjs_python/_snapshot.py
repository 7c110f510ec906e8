"""The state of a handler, for a job's checkpoints."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class StateOf:
    """Calls ``snapshot()`` and ``restore(state)`` of a handler: of its object, or of its module.

    ``life`` is another one for each time that the handler was loaded: an interpreter that took
    the place of another one has lost the state.
    """

    def __init__(self, target: Any) -> None:
        self._owner = _owner_of(target)
        self._life = os.urandom(8).hex()

    def __call__(self, batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [self._answer(request) for request in batch]

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = {"stateful": self._owner is not None, "life": self._life}
        if self._owner is None:
            return answer
        if request["op"] == "snapshot":
            answer["state"] = self._owner.snapshot()
        elif request["op"] == "restore":
            self._owner.restore(request["state"])
        return answer


def _owner_of(target: Any) -> Any:
    """What has the state: the object itself, that of a bound method, or a function's module."""
    module = sys.modules.get(getattr(target, "__module__", None) or "")
    is_function = hasattr(target, "__code__")
    for owner in (target, getattr(target, "__self__", None), module if is_function else None):
        if callable(getattr(owner, "snapshot", None)) and callable(getattr(owner, "restore", None)):
            return owner
    return None
