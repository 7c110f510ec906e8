"""State by key for handlers, with a time to live and a limit to its keys."""

from __future__ import annotations

import time
from _thread import allocate_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator
    from typing import Any


class StateFullError(RuntimeError):
    """More keys than ``max_keys``, and ``overflow`` is ``"error"``."""


class KeyedState:
    """A value for each key.

    ``ttl``: seconds after its last ``set`` that a value lives; None: for ever.
    ``max_keys``: the most keys; None: no limit. ``overflow`` says what a further key does:
    ``"error"`` raises a StateFullError, ``"evict"`` drops the key that was set longest ago.
    ``clock``: a function that returns seconds and never goes back.

    The entries are in the order of their last ``set``, so that what is over is always first. In
    isolation ``shared`` several interpreters may use one object: each call is whole in itself.
    """

    def __init__(
        self,
        ttl: float | None = None,
        max_keys: int | None = None,
        overflow: str = "error",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if ttl is not None and not ttl > 0:
            raise ValueError(f"ttl must be a number of seconds above 0; got {ttl!r}")
        if max_keys is not None and max_keys < 1:
            raise ValueError(f"max_keys must be at least 1; got {max_keys!r}")
        if overflow not in ("error", "evict"):
            raise ValueError(f"overflow must be 'error' or 'evict'; got {overflow!r}")
        self._ttl = ttl
        self._max_keys = max_keys
        self._evicts = overflow == "evict"
        self._clock = clock
        self._entries: dict[Hashable, tuple[float, Any]] = {}
        self._lock = allocate_lock()

    def get(self, key: Hashable, default: Any = None) -> Any:
        with self._lock:
            self._expire()
            entry = self._entries.get(key)
            return default if entry is None else entry[1]

    def set(self, key: Hashable, value: Any) -> None:
        with self._lock:
            now = self._expire()
            entries = self._entries
            if entries.pop(key, None) is None and len(entries) == self._max_keys:
                if not self._evicts:
                    raise StateFullError(f"more than {self._max_keys} keys (max_keys)")
                del entries[next(iter(entries))]
            entries[key] = (now, value)

    def delete(self, key: Hashable) -> bool:
        """Whether there was a value."""
        with self._lock:
            self._expire()
            return self._entries.pop(key, None) is not None

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            self._expire()
            return key in self._entries

    def __len__(self) -> int:
        with self._lock:
            self._expire()
            return len(self._entries)

    def items(self) -> Iterator[tuple[Hashable, Any]]:
        """The keys and values at this moment, the one that was set longest ago first."""
        with self._lock:
            self._expire()
            entries = [(key, value) for key, (_, value) in self._entries.items()]
        return iter(entries)

    def snapshot(self) -> list[list[Any]]:
        """All of it, as ``restore`` takes it: key, value, and the age in seconds."""
        with self._lock:
            now = self._expire()
            return [[key, value, now - since] for key, (since, value) in self._entries.items()]

    def restore(self, snapshot: list[list[Any]]) -> None:
        """What ``snapshot`` returned takes the place of everything; ages go on from there."""
        with self._lock:
            now = self._clock()
            self._entries = {key: (now - age, value) for key, value, age in snapshot}

    def _expire(self) -> float:
        now = self._clock()
        if self._ttl is not None:
            entries = self._entries
            while entries:
                key = next(iter(entries))
                if now - entries[key][0] < self._ttl:
                    break
                del entries[key]
        return now
