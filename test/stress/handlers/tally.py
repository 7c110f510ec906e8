"""Handlers with state, for jobs that are killed."""

from __future__ import annotations

from rxjs_python import KeyedState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Tally:
    """Numbers the results of each key, and adds up what it has seen of it."""

    def __init__(self) -> None:
        self.totals = KeyedState()
        self.seen = 0

    def __call__(self, results: list[dict[str, Any]]) -> list[dict[str, Any]]:
        answers = []
        for result in results:
            self.seen += 1
            total = self.totals.get(result["key"], 0) + result["value"]
            self.totals.set(result["key"], total)
            answers.append(dict(result, total=total, number=self.seen))
        return answers

    def snapshot(self) -> dict[str, Any]:
        return {"totals": self.totals.snapshot(), "seen": self.seen}

    def restore(self, state: dict[str, Any]) -> None:
        self.totals.restore(state["totals"])
        self.seen = state["seen"]


class Most:
    """An aggregate: the highest value."""

    def create(self) -> list[int]:
        return []

    def accumulate(self, most: list[int], item: dict[str, Any]) -> list[int]:
        return [max([*most, item["value"]])]

    def combine(self, into: list[int], other: list[int]) -> list[int]:
        return [max(into + other)]

    def finish(self, most: list[int]) -> int:
        return most[0]
