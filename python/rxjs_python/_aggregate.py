"""Aggregates in Python: a class with create, accumulate, combine and finish.

JavaScript decides what is accumulated and combined, and writes it down as a program: a list of
numbers and values. A batch is some programs, which are run in order; each gives one result.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Steps of a program; see lib/streams/aggregates/python.ts.
_CREATE = 0
_ACCUMULATE = 1
_COMBINE = 2
_DROP = 3

_PARTS = ("create", "accumulate", "combine", "finish")


def is_aggregate(target: Any) -> bool:
    return all(callable(getattr(target, part, None)) for part in _PARTS)


class _Held(dict):  # type: ignore[type-arg]
    """The accumulators by their numbers."""

    def __missing__(self, number: int) -> Any:
        raise RuntimeError(
            "an accumulator is not in this interpreter: the one that had it was replaced, or the "
            "pool changed its size. Aggregates in Python need a pool that does neither."
        )


class Programs:
    """Runs programs on an aggregate."""

    def __init__(self, target: Any) -> None:
        self._aggregate = target
        self._held: dict[int, Any] = _Held()

    def __call__(self, batch: list[Any]) -> list[Any]:
        return [self._run(*program) for program in batch]

    def snapshot(self) -> list[list[Any]]:
        """The accumulators, for a job's checkpoint: as ``save`` of the aggregate gives them, else
        as they are, which must be JSON data then."""
        save = getattr(self._aggregate, "save", None)
        held = self._held.items()
        return [[number, one if save is None else save(one)] for number, one in held]

    def restore(self, snapshot: list[list[Any]]) -> None:
        load = getattr(self._aggregate, "load", None)
        self._held = _Held(
            (number, saved if load is None else load(saved)) for number, saved in snapshot
        )

    def _run(self, steps: list[Any], wanted: int | None) -> Any:
        held = self._held
        accumulate = self._aggregate.accumulate
        rest = iter(steps)
        for step in rest:
            number = next(rest)
            if step == _ACCUMULATE:
                held[number] = accumulate(held[number], next(rest))
            elif step == _CREATE:
                held[number] = self._aggregate.create()
            elif step == _COMBINE:
                held[number] = self._aggregate.combine(held[number], held[next(rest)])
            elif step == _DROP:
                held.pop(number, None)
            else:
                raise ValueError(f"no such step: {step!r}")
        return None if wanted is None else self._aggregate.finish(held[wanted])
