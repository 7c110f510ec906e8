"""Exceptions as plain data: describe_error()."""

import json
import sys
import unittest

from rxjs_python import HandlerError, Interrupted, ResultLengthError
from support import HostCase, _host

FIELDS = {"code", "type", "message", "traceback", "notes", "cause", "item"}


def describe(error: BaseException) -> dict:
    text = _host.describe_error(error)
    assert text.isascii()
    report = json.loads(text)
    assert set(report) == FIELDS
    return report


class Contents(HostCase):
    def test_type_message_and_the_lines_of_an_inline_handler(self) -> None:
        call = self.inline("def helper(x):\n  return 1 / x\ndef handle(b):\n  return [helper(0)]\n")
        report = self.report_of(call, [0])
        self.assertEqual(report["code"], "ERR_PYTHON_EXCEPTION")
        self.assertEqual(report["type"], "ZeroDivisionError")
        self.assertIn("division", report["message"])
        self.assertRegex(report["traceback"], r'File "<handler inline-\d+>", line 2, in helper\n')
        self.assertIn("return 1 / x", report["traceback"])
        self.assertTrue(report["traceback"].startswith("Traceback (most recent call last):\n"))

    def test_our_own_frames_before_the_handler_are_left_out(self) -> None:
        call = self.inline("async def handle(b): raise ValueError('x')")
        try:
            call([0])
        except ValueError as error:
            error.__traceback__ = error.__traceback__.tb_next  # this test's frame
            report = describe(error)
        self.assertNotIn("_async.py", report["traceback"].split("<handler")[0])

    def test_a_mistake_in_the_result_shows_no_frames_at_all(self) -> None:
        try:
            _host.as_list([1], 2, True)
        except ResultLengthError as error:
            error.__traceback__ = error.__traceback__.tb_next
            report = describe(error)
        self.assertEqual(report["code"], "ERR_RESULT_LENGTH")
        self.assertEqual(
            report["traceback"], f"rxjs_python.ResultLengthError: {report['message']}\n"
        )

    def test_types_outside_of_builtins_have_their_module(self) -> None:
        self.assertEqual(
            describe(json.JSONDecodeError("x", "", 0))["type"], "json.decoder.JSONDecodeError"
        )
        self.assertEqual(describe(HandlerError("ERR_X", "m"))["type"], "rxjs_python.HandlerError")

    def test_codes_come_from_our_own_classes_only(self) -> None:
        error = ValueError("x")
        error.code = "ERR_ABORTED"
        self.assertEqual(describe(error)["code"], "ERR_PYTHON_EXCEPTION")
        report = describe(Interrupted())
        self.assertEqual(report["code"], "ERR_INTERRUPTED")
        self.assertEqual(report["message"], "the call was asked to stop")
        self.assertEqual(describe(KeyboardInterrupt())["code"], "ERR_PYTHON_EXCEPTION")

    def test_sys_exit(self) -> None:
        for error, call in (
            (SystemExit(3), "sys.exit(3)"),
            (SystemExit("bye"), "sys.exit('bye')"),
            (SystemExit(), "sys.exit()"),
        ):
            report = describe(error)
            self.assertEqual(
                (report["code"], report["type"]), ("ERR_PYTHON_EXCEPTION", "SystemExit")
            )
            self.assertIn(f"{call} was called. It does not end the process", report["message"])

    def test_memory_and_recursion_errors(self) -> None:
        self.assertIn("memory", describe(MemoryError())["message"])

        def deeper() -> None:
            deeper()

        report = self.report_of(deeper)
        self.assertEqual(report["type"], "RecursionError")
        self.assertIn("repeated", report["traceback"])
        self.assertLess(len(report["traceback"]), 70_000)

    def test_notes(self) -> None:
        error = ValueError("x")
        error.__notes__ = ["first", "second", 5]
        report = describe(error)
        self.assertEqual(report["notes"], ["first", "second", "5"])
        if sys.version_info >= (3, 11):
            self.assertIn("first\nsecond\n", report["traceback"])
        error.__notes__ = "not a list"
        self.assertEqual(describe(error)["notes"], [])

    @unittest.skipIf(sys.version_info < (3, 11), "exception groups came with Python 3.11")
    def test_exception_groups(self) -> None:
        group = eval("ExceptionGroup('two at once', [ValueError('one'), KeyError('two')])")
        report = describe(group)
        self.assertEqual(report["type"], "ExceptionGroup")
        self.assertIn("ValueError: one", report["traceback"])


class Causes(HostCase):
    def test_cause_before_context_unless_suppressed(self) -> None:
        def explicit() -> None:
            try:
                raise KeyError("inner")
            except KeyError as error:
                raise ValueError("outer") from error

        def implicit() -> None:
            try:
                raise KeyError("inner")
            except KeyError:
                raise ValueError("outer")  # noqa: B904

        def suppressed() -> None:
            try:
                raise KeyError("inner")
            except KeyError:
                raise ValueError("outer") from None

        for action in (explicit, implicit):
            report = self.report_of(action)
            self.assertEqual(report["cause"]["type"], "KeyError")
            self.assertIn("KeyError: 'inner'", report["traceback"])
            self.assertNotIn("ValueError", report["cause"]["traceback"])
        self.assertIsNone(self.report_of(suppressed)["cause"])

    def test_a_circle_of_causes_ends(self) -> None:
        first, second = ValueError("first"), KeyError("second")
        first.__cause__, second.__cause__ = second, first
        report = describe(first)
        self.assertEqual(report["cause"]["type"], "KeyError")
        self.assertIsNone(report["cause"]["cause"])

    def test_a_long_chain_is_cut(self) -> None:
        error = last = ValueError("0")
        for number in range(1, 30):
            last.__cause__ = ValueError(str(number))
            last = last.__cause__
        depth, report = 0, describe(error)
        while report is not None:
            depth, report = depth + 1, report["cause"]
        self.assertEqual(depth, 8)


class NeverRaises(HostCase):
    def test_exceptions_that_cannot_be_shown(self) -> None:
        class Mute(Exception):
            def __str__(self) -> str:
                raise RuntimeError("no")

            __repr__ = __str__

        class Exits(Exception):
            def __str__(self) -> str:
                raise SystemExit(1)

        class NoAttributes(Exception):
            def __getattribute__(self, name: str):
                raise ValueError(name)

        class Endless(Exception):
            def __str__(self) -> str:
                return str(self)

        self.assertIn("__str__ raised RuntimeError", describe(Mute())["message"])
        self.assertEqual(describe(Exits())["type"].rpartition(".")[2], "Exits")
        self.assertEqual(describe(NoAttributes())["type"].rpartition(".")[2], "NoAttributes")
        self.assertIn("RecursionError", describe(Endless())["message"])

    def test_text_that_is_no_valid_unicode(self) -> None:
        report = describe(ValueError("lone \ud800 and \0 and \U0001f600"))
        self.assertEqual(report["message"], "lone \ud800 and \0 and \U0001f600")

    def test_very_long_texts_are_cut(self) -> None:
        report = describe(ValueError("x" * 10_000_000))
        self.assertLess(len(report["message"]), 100_000)
        self.assertIn("characters left out", report["traceback"])

    def test_a_class_that_forbids_attributes_keeps_its_exception(self) -> None:
        class Frozen(Exception):
            def __setattr__(self, name: str, value: object) -> None:
                raise AttributeError(name)

        def failing():
            raise Frozen("kept")
            yield

        report = self.report_of(_host.as_list, failing(), 3, True)
        self.assertEqual((report["message"], report["item"]), ("kept", None))

    def test_an_interrupt_that_comes_while_the_report_is_made(self) -> None:
        class Late(Exception):
            times = 0

            def __str__(self) -> str:
                type(self).times += 1
                if self.times == 1:
                    raise Interrupted()
                return "well"

        self.assertEqual(describe(Late())["message"], "well")
