"""From what a handler returned to a list of results: as_list()."""

import collections
import unittest

from rxjs_python import ResultLengthError, ResultTypeError
from support import HostCase, _host

as_list = _host.as_list


def counting(limit):
    yield from range(limit)


class Accepts(unittest.TestCase):
    def test_everything_that_holds_one_result_for_each_item(self) -> None:
        self.assertEqual(as_list((1, 2), 2, True), [1, 2])
        self.assertEqual(as_list(counting(3), 3, True), [0, 1, 2])
        self.assertEqual(as_list(map(str, [1, 2]), 2, True), ["1", "2"])
        self.assertEqual(as_list(collections.deque("ab"), 2, True), ["a", "b"])
        self.assertEqual(as_list({"a": 1}.values(), 1, True), [1])
        self.assertEqual(as_list(range(0), 0, True), [])

    def test_a_list_is_not_copied(self) -> None:
        results = [1, 2, 3]
        self.assertIs(as_list(results, 3, True), results)

    def test_any_length_where_none_is_asked_for(self) -> None:
        self.assertEqual(as_list(counting(5), 2, False), [0, 1, 2, 3, 4])
        self.assertEqual(as_list([], 2, False), [])

    def test_data_frames_become_records(self) -> None:
        class Frame:
            iloc = None
            columns = ("a",)

            def to_dict(self, how):
                return [{"a": 1}] if how == "records" else None

            def __iter__(self):
                return iter(self.columns)

        self.assertEqual(as_list(Frame(), 1, True), [{"a": 1}])

    def test_coroutines_and_async_generators_of_decorated_handlers(self) -> None:
        async def later():
            return (1, 2)

        async def stream():
            yield 1
            yield 2

        self.addCleanup(_host._async.shared_loops.close)
        self.assertEqual(as_list(later(), 2, True), [1, 2])
        self.assertEqual(as_list(stream(), 2, True), [1, 2])


class Refuses(HostCase):
    def test_a_wrong_number_of_results(self) -> None:
        cases = [
            ([1, 2, 3], 4, "handler returned 3 results for a batch of 4 (the result is a list)"),
            ((1,), 4, "handler returned 1 result for a batch of 4 (the result is a tuple)"),
            (counting(2), 3, "handler returned 2 results for a batch of 3 (the result is a gen"),
            (counting(9), 3, "handler returned more than 3 results for a batch of 3"),
            (range(9), 3, "handler returned 9 results for a batch of 3 (the result is a range)"),
            ([1], 0, "handler returned 1 result for a batch of 0"),
        ]
        for result, count, message in cases:
            with self.assertRaises(ResultLengthError) as caught:
                as_list(result, count, True)
            self.assertIn(message, str(caught.exception))
            self.assertEqual(caught.exception.code, "ERR_RESULT_LENGTH")

    def test_an_endless_generator_is_not_read_to_its_end(self) -> None:
        def endless():
            while True:
                yield 1

        with self.assertRaisesRegex(ResultLengthError, "more than 2 results"):
            as_list(endless(), 2, True)

    def test_what_is_no_list(self) -> None:
        cases = [
            (None, "returned None for a batch of 1 item; .*`return` missing"),
            ("abc", "returned a str .*for the whole batch"),
            (b"abc", "returned a bytes "),
            ({"a": 1}, "returned a dict .*does not say which item"),
            ({1}, "returned a set .*no order"),
            (5, "returned an int "),
            (print, "returned a builtin_function_or_method"),
        ]
        for result, message in cases:
            with self.assertRaisesRegex(ResultTypeError, message) as caught:
                as_list(result, 1, True)
            self.assertEqual(caught.exception.code, "ERR_RESULT_TYPE")

    def test_a_generator_that_raises_says_at_which_item(self) -> None:
        def failing():
            yield 1
            yield 2
            raise KeyError("third")

        report = self.report_of(as_list, failing(), 5, True)
        self.assertEqual((report["type"], report["item"]), ("KeyError", 2))

    def test_a_generator_that_raises_after_the_last_item_blames_none(self) -> None:
        def failing():
            yield 1
            raise KeyError("clean-up")

        self.assertIsNone(self.report_of(as_list, failing(), 1, True)["item"])
