"""rxjs_python.host against a core that is a stand-in."""

import asyncio
import copy
import pickle
import queue
import threading
import unittest
from unittest import mock

import support  # noqa: F401  (finds the package)
from rxjs_python import _callback, host
from rxjs_python._errors import JavaScriptError, ResultEncodeError
from rxjs_python._futures import Answers, CallbackFuture


class Core:
    """Answers futures when it is told to, and `call` at once."""

    def __init__(self) -> None:
        self.requests: list = []
        self.dropped: list = []
        self.answers: queue.Queue = queue.Queue()
        self.reply: object = (True, "done")

    def callback_begin(self, request: list, future: bool) -> int:
        self.requests.append((request, future))
        return len(self.requests)

    def callback_wait(self, number: int, seconds: float) -> object:
        if isinstance(self.reply, BaseException):
            raise self.reply
        return self.reply

    def callback_next(self, seconds: float) -> object:
        try:
            return self.answers.get(timeout=0.2)
        except queue.Empty:
            return None

    def callback_drop(self, number: int) -> None:
        self.dropped.append(number)


class Calls(unittest.TestCase):
    def setUp(self) -> None:
        self.core = Core()
        patch = mock.patch.object(_callback.Native, "core", self.core)
        patch.start()
        self.addCleanup(patch.stop)

    def test_call_sends_the_name_and_the_arguments(self) -> None:
        self.assertEqual(host.call("f", 1, {"a": 2}), "done")
        self.assertEqual(self.core.requests, [(["f", 1, {"a": 2}], False)])
        self.assertEqual(self.core.dropped, [])

    def test_what_ends_the_wait_drops_the_request(self) -> None:
        self.core.reply = KeyboardInterrupt()
        with self.assertRaises(KeyboardInterrupt):
            host.call("f")
        self.assertEqual(self.core.dropped, [1])

    def test_an_error_has_name_message_code_stack_and_cause(self) -> None:
        cause = {"name": "RangeError", "message": "inner", "stack": "RangeError: inner\n  at g"}
        description = {
            "name": "TypeError",
            "message": "outer",
            "stack": "TypeError: outer\n  at f",
            "code": "ERR_X",
            "cause": cause,
        }
        self.core.reply = (False, description)
        with self.assertRaises(JavaScriptError) as raised:
            host.call("f")
        error = raised.exception
        self.assertEqual((error.name, error.message, error.code), ("TypeError", "outer", "ERR_X"))
        self.assertEqual(str(error), "TypeError: outer")
        self.assertEqual(error.__notes__, ["in JavaScript:\nTypeError: outer\n  at f"])
        self.assertEqual(str(error.__cause__), "RangeError: inner")
        for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
            self.assertEqual((again.name, again.stack), (error.name, error.stack))
            self.assertEqual(str(again.__cause__), "RangeError: inner")

    def test_names_are_texts_and_arguments_are_data(self) -> None:
        with self.assertRaisesRegex(TypeError, "is a str, not int"):
            host.call(1)  # type: ignore[arg-type]
        self.core.callback_begin = mock.Mock(side_effect=ResultEncodeError("a set has no form"))
        with self.assertRaisesRegex(TypeError, "an argument of 'f' cannot go .* a set has no form"):
            host.call("f", set())

    def test_closed_pools_and_deep_nesting_are_errors(self) -> None:
        self.core.callback_begin = mock.Mock(return_value=0)
        with self.assertRaises(JavaScriptError) as raised:
            host.call("f")
        self.assertEqual(raised.exception.code, "ERR_POOL_CLOSED")
        self.core.callback_begin.return_value = -1
        with self.assertRaisesRegex(RecursionError, "inside each other"):
            host.call("f")

    def test_without_a_runtime_it_says_so(self) -> None:
        without = mock.patch.object(_callback.Native, "core", None)
        with without, self.assertRaisesRegex(RuntimeError, "only where rxjs-python runs"):
            host.call("f")

    def test_futures_get_their_answers_from_a_thread_that_ends(self) -> None:
        answers = Answers()
        self.core.reply = None
        futures = [answers.submit("f", (i,)) for i in range(3)]
        self.core.reply = (None, None)  # somebody else has it: the thread
        for future in (futures[2], futures[0]):
            self.core.answers.put((future.number, True, future.number * 10))
        self.core.answers.put((futures[1].number, False, {"name": "Error", "message": "no"}))
        self.assertEqual([futures[0].result(5), futures[2].result(5)], [10, 30])
        self.assertIsInstance(futures[1].exception(5), JavaScriptError)
        for thread in threading.enumerate():
            if thread.name == "rxjs-python-answers":
                thread.join(5)
                self.assertFalse(thread.is_alive())

    def test_a_future_waits_where_calls_are_served(self) -> None:
        future = Answers().submit("f", ())
        self.assertIsInstance(future, CallbackFuture)
        self.assertEqual(future.result(), "done")
        self.assertTrue(future.done())

    def test_call_async_is_awaited(self) -> None:
        async def main() -> list:
            calls = asyncio.gather(host.call_async("f", 1), host.call_async("f", 2))
            await asyncio.sleep(0)
            self.core.answers.put((2, True, "b"))
            self.core.answers.put((1, True, "a"))
            return await calls

        self.assertEqual(asyncio.run(main()), ["a", "b"])


if __name__ == "__main__":
    unittest.main()
