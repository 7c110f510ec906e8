"""Programs on aggregates: what each step does, and what is missed."""

from __future__ import annotations

import unittest
from typing import Any

import support  # noqa: F401  (finds the package)
from rxjs_python._aggregate import Programs, is_aggregate


class Joined:
    def create(self) -> list[Any]:
        return []

    def accumulate(self, into: list[Any], value: Any) -> list[Any]:
        return [*into, value]

    def combine(self, into: list[Any], other: list[Any]) -> list[Any]:
        return into + other

    def finish(self, accumulator: list[Any]) -> str:
        return "".join(accumulator)


class Saved(Joined):
    def save(self, accumulator: list[Any]) -> str:
        return ",".join(accumulator)

    def load(self, saved: str) -> list[Any]:
        return saved.split(",")


class ProgramsTest(unittest.TestCase):
    def test_steps(self) -> None:
        run = Programs(Joined())
        self.assertEqual(
            run([[[0, 1, 1, 1, "a", 0, 2, 1, 2, "b"], None], [[2, 1, 2], 1]]), [None, "ab"]
        )
        self.assertEqual(run([[[], 2], [[1, 2, "c"], 2], [[], 1]]), ["b", "bc", "ab"])

    def test_dropped(self) -> None:
        run = Programs(Joined())
        run([[[0, 1, 3, 1], None]])
        with self.assertRaisesRegex(RuntimeError, "not in this interpreter"):
            run([[[], 1]])

    def test_unknown_step(self) -> None:
        with self.assertRaisesRegex(ValueError, "no such step: 9"):
            Programs(Joined())([[[9, 1], None]])

    def test_snapshot(self) -> None:
        steps = [0, 1, 1, 1, "a", 1, 1, "b", 0, 7, 1, 7, "c"]
        for aggregate, saved in (
            (Joined(), [[1, ["a", "b"]], [7, ["c"]]]),
            (Saved(), [[1, "a,b"], [7, "c"]]),
        ):
            run = Programs(aggregate)
            run([[steps, None]])
            self.assertEqual(run.snapshot(), saved)
            again = Programs(aggregate)
            again([[[0, 3], None]])
            again.restore(saved)
            self.assertEqual(again([[[2, 1, 7], 1]]), ["abc"])
            with self.assertRaisesRegex(RuntimeError, "not in this interpreter"):
                again([[[], 3]])

    def test_is_aggregate(self) -> None:
        self.assertTrue(is_aggregate(Joined))
        self.assertFalse(is_aggregate(len))


if __name__ == "__main__":
    unittest.main()
