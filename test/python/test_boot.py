"""The start of a runtime, each in a fresh interpreter."""

import json
import sys
import unittest

from support import run_python

PRELUDE = """
import json, os, signal, sys, time
class Native:
    written, logged, noticed, interrupt = [], [], [], False
    def write(self, stream, text): self.written.append([stream, text])
    def log(self, text): self.logged.append(json.loads(text))
    def notice(self, text): self.noticed.append(json.loads(text))
    def interrupt_requested(self): return self.interrupt
native = Native()
from rxjs_python import _host
SIGNAL = getattr(signal, "SIGRTMIN", signal.SIGUSR1)
def answer(value): os.write(1, json.dumps(value).encode())
"""


class Boot(unittest.TestCase):
    def answer(self, code: str, **variables: str):
        result = run_python(PRELUDE + code, **variables)
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)

    def test_the_start_imports_nothing_slow(self) -> None:
        loaded = self.answer(
            "_host.boot(native, SIGNAL, True)\n_host.Host('{}')\nanswer(sorted(sys.modules))\n"
        )
        slow = {"asyncio", "numpy", "logging", "inspect", "typing", "traceback", "dataclasses"}
        # A file in site-packages may import what it likes before us.
        before = json.loads(
            run_python("import json, sys; print(json.dumps([*sys.modules]))").stdout
        )
        self.assertEqual(slow & set(loaded) - set(before), set())

    def test_deep_bound_imports_leave_the_flags_as_they_were(self) -> None:
        flags = self.answer(
            "flags = [sys.getdlopenflags()]\n_host.boot(native, SIGNAL, True)\n"
            "answer(flags + [sys.getdlopenflags(), 'zlib' in sys.modules])\n"
        )
        self.assertEqual(flags[0], flags[1])
        self.assertTrue(flags[2])

    def test_everything_that_prints_reaches_the_native_core(self) -> None:
        written = self.answer(
            """
_host.boot(native, SIGNAL, False)
import warnings
print('out')
print('err', file=sys.stderr)
sys.__stdout__.write('restored\\n')
warnings.warn('careful')
sys.excepthook(ValueError, ValueError('hooked'), None)
try:
    input('prompt')
except EOFError:
    print('no input')
answer(native.written)
"""
        )
        self.assertIn([1, "out\n"], written)
        self.assertIn([2, "err\n"], written)
        self.assertIn([1, "restored\n"], written)
        text = "".join(text for stream, text in written if stream == 2)
        self.assertIn("UserWarning: careful", text)
        self.assertIn("ValueError: hooked", text)
        self.assertIn("no input\n", "".join(text for stream, text in written if stream == 1))

    def test_child_processes_write_to_the_real_output(self) -> None:
        result = run_python(
            PRELUDE + "_host.boot(native, SIGNAL, False)\nimport subprocess\n"
            "subprocess.run([sys.executable, '-c', 'print(5)'], stdout=sys.stdout, check=True)\n"
        )
        self.assertEqual((result.returncode, result.stdout), (0, "5\n"), result.stderr)

    def test_log_records_that_nobody_else_handles(self) -> None:
        code = """
{first}
_host.boot(native, SIGNAL, False)
import logging
log = logging.getLogger('my.model')
log.info('not shown')
log.warning('%d rows \\ud800', 5)
try:
    1 / 0
except ZeroDivisionError:
    log.exception('failed')
log.warning('%d', 'no number')
answer([native.logged, time.time() * 1000, native.written, len(sys.meta_path)])
"""
        for first in ("import logging", ""):
            logged, now, written, finders = self.answer(code.replace("{first}", first))
            self.assertEqual([entry["level"] for entry in logged], ["WARNING", "ERROR"])
            self.assertEqual(logged[0]["logger"], "my.model")
            self.assertEqual(logged[0]["message"], "5 rows \ud800")
            self.assertLess(abs(logged[0]["time"] - now), 60_000)
            self.assertNotIn("traceback", logged[0])
            self.assertIn("ZeroDivisionError", logged[1]["traceback"])
            self.assertIn("--- Logging error ---", "".join(text for _, text in written))
            expected = json.loads(run_python("import sys; print(len(sys.meta_path))").stdout)
            self.assertEqual(finders, expected, "the watch has stepped aside")

    def test_a_handler_that_configures_logging_gets_what_it_asks_for(self) -> None:
        logged, written = self.answer(
            "_host.boot(native, SIGNAL, False)\nimport logging\n"
            "logging.basicConfig(format='%(message)s')\nlogging.error('mine')\n"
            "answer([native.logged, native.written])\n"
        )
        self.assertEqual((logged, written), ([], [[2, "mine\n"]]))

    def test_fault_reports_name_the_python_line(self) -> None:
        result = run_python(
            PRELUDE + "assert _host.enable_fault_reports(signal.SIGUSR2)\n"
            "def crash(): os.kill(os.getpid(), signal.SIGUSR2)\ncrash()\n"
        )
        self.assertEqual(result.returncode, 0)
        self.assertIn("in crash", result.stderr)

    def test_fault_reports_leave_the_signals_of_crashes_alone(self) -> None:
        result = run_python(
            PRELUDE + "assert _host.enable_fault_reports(SIGNAL)\n"
            "_host.boot(native, SIGNAL, False)\n"
            "refused = not _host.enable_fault_reports(signal.SIGSEGV)\n"
            "answer([refused, __import__('faulthandler').is_enabled()])\n"
        )
        self.assertEqual(result.stdout, "[true, false]", result.stderr)


@unittest.skipUnless(sys.platform == "linux", "interrupts are sent as real-time signals on Linux")
class Interrupting(unittest.TestCase):
    def run_interrupted(self, work: str) -> list:
        # The timer sends the signal from the kernel: a regular expression keeps the GIL, so that no
        # thread of this interpreter could send it.
        result = run_python(
            PRELUDE
            + f"""
import threading
_host.boot(native, signal.SIGALRM, False)
native.interrupt = True
sent = time.perf_counter() + 0.2
signal.setitimer(signal.ITIMER_REAL, 0.2)
try:
    {work}
    answer(['finished'])
except _host.Interrupted as error:
    took = time.perf_counter() - sent
    report = json.loads(_host.describe_error(error))
    answer([report['code'], took])
"""
        )
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)

    def test_loops_sleeps_locks_sockets_and_coroutines_stop(self) -> None:
        coroutine = "lambda b: __import__('asyncio').sleep(60)"
        for work in (
            "exec('while True: pass')",
            "time.sleep(60)",
            "threading.Event().wait(60)",
            "pair = __import__('socket').socketpair(); pair[0].recv(1)",
            "__import__('re').match('(?:a|aa)+$', 'a' * 99 + 'b')",
            f"_host._async.Loops().run(({coroutine})(0))",
        ):
            code, *took = self.run_interrupted(work)
            self.assertEqual(code, "ERR_INTERRUPTED", work)
            self.assertLess(took[0], 1, work)

    def test_a_wait_for_another_process_stops_without_a_pause(self) -> None:
        # communicate() closes what the process reads, so it must not be that which keeps it.
        child = "'import time; time.sleep(5)'"
        quiet = "stdin=-1, stdout=-3, stderr=-3"
        start = f"__import__('subprocess').Popen([sys.executable, '-c', {child}], {quiet})"
        for work in (f"{start}.wait()", f"{start}.communicate()"):
            code, *took = self.run_interrupted(work)
            self.assertEqual(code, "ERR_INTERRUPTED", work)
            self.assertLess(took[0], 0.2, work)

    def test_except_exception_does_not_swallow_it(self) -> None:
        work = "exec('try:\\n  time.sleep(60)\\nexcept Exception:\\n  pass')"
        self.assertEqual(self.run_interrupted(work)[0], "ERR_INTERRUPTED")

    def test_a_signal_for_a_call_that_has_ended_does_nothing(self) -> None:
        result = run_python(
            PRELUDE + "_host.boot(native, SIGNAL, False)\n"
            "os.kill(os.getpid(), SIGNAL)\ntime.sleep(0.05)\nanswer('alive')\n"
        )
        self.assertEqual(result.stdout, '"alive"', result.stderr)
