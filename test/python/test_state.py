"""KeyedState: time to live, limits, and what a snapshot brings back."""

from __future__ import annotations

import random
import unittest

import support  # noqa: F401  (finds the package)
from rxjs_python import KeyedState, StateFullError


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class KeyedStateTest(unittest.TestCase):
    def test_get_set_delete(self) -> None:
        state = KeyedState()
        self.assertIsNone(state.get("a"))
        self.assertEqual(state.get("a", 0), 0)
        state.set("a", 1)
        state.set("b", None)
        self.assertEqual((state.get("a"), "b" in state, len(state)), (1, True, 2))
        self.assertEqual((state.delete("a"), state.delete("a"), "a" in state), (True, False, False))

    def test_lives_for_its_time_after_the_last_set(self) -> None:
        clock = Clock()
        state = KeyedState(ttl=10, clock=clock)
        state.set("a", 1)
        clock.now = 5
        state.set("b", 2)
        state.set("a", 3)
        clock.now = 14.9
        self.assertEqual(list(state.items()), [("b", 2), ("a", 3)])
        clock.now = 15
        self.assertEqual((state.get("a"), len(state)), (None, 0))

    def test_limits(self) -> None:
        full = KeyedState(max_keys=1)
        full.set("a", 1)
        full.set("a", 2)
        with self.assertRaises(StateFullError):
            full.set("b", 1)
        state = KeyedState(max_keys=2, overflow="evict")
        for key in ("a", "b", "a", "c"):
            state.set(key, 1)
        self.assertEqual([key for key, _ in state.items()], ["a", "c"])

    def test_snapshots_keep_the_age(self) -> None:
        clock = Clock()
        state = KeyedState(ttl=10, clock=clock)
        state.set("a", [1])
        clock.now = 4
        state.set("b", 2)
        saved = state.snapshot()
        later = Clock()
        later.now = 1000
        other = KeyedState(ttl=10, clock=later)
        other.set("c", 3)
        other.restore(saved)
        later.now = 1006
        self.assertEqual(list(other.items()), [("b", 2)])

    def test_options_are_checked(self) -> None:
        for wrong in ({"ttl": 0}, {"max_keys": 0}, {"overflow": "drop"}):
            with self.assertRaises(ValueError):
                KeyedState(**wrong)

    def test_is_what_a_plain_model_is(self) -> None:
        seed = random.randrange(2**32)
        rng = random.Random(seed)
        clock = Clock()
        state = KeyedState(ttl=50, max_keys=3, overflow="evict", clock=clock)
        model: list[tuple[int, int, float]] = []
        for _ in range(2000):
            clock.now += rng.choice((0, 0, 1, 20))
            model = [entry for entry in model if clock.now - entry[2] < 50]
            key = rng.randrange(5)
            if rng.random() < 0.7:
                value = rng.randrange(100)
                state.set(key, value)
                model = [entry for entry in model if entry[0] != key][-3:]
                model = [*model, (key, value, clock.now)][-3:]
            else:
                there = any(entry[0] == key for entry in model)
                self.assertEqual(state.delete(key), there, f"seed {seed}")
                model = [entry for entry in model if entry[0] != key]
            expected = [(key, value) for key, value, _ in model]
            self.assertEqual(list(state.items()), expected, f"seed {seed}")


if __name__ == "__main__":
    unittest.main()
