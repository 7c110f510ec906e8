"""The shapes of handlers: async, filter, flatMap, scan."""

import json
import threading

from rxjs_python import Interrupted, ResultLengthError, ResultTypeError
from support import HostCase


class Async(HostCase):
    def test_coroutines_generators_objects_and_partials(self) -> None:
        sources = [
            "import asyncio\nasync def handle(b):\n  await asyncio.sleep(0)\n  return b",
            "async def handle(b):\n  for each in b:\n    yield each",
            "class A:\n  async def __call__(self, b): return b",
            "import functools\nasync def f(x, b): return b\nhandle = functools.partial(f, 1)",
            "class A:\n  async def go(self, b): return b\nhandle = A().go",
        ]
        for source in sources:
            self.assertEqual(self.inline(source)([1, 2]), [1, 2], source)

    def test_the_loop_and_its_background_tasks_stay_from_call_to_call(self) -> None:
        call = self.inline(
            """
            import asyncio
            seen = []
            ticks = 0
            async def tick():
                global ticks
                while True:
                    ticks += 1
                    await asyncio.sleep(0)
            async def handle(batch):
                if not seen:
                    seen.append((asyncio.get_running_loop(), asyncio.ensure_future(tick())))
                await asyncio.sleep(0)
                return [seen[0][0] is asyncio.get_running_loop(), ticks]
            """
        )
        first, second = call([0, 0]), call([0, 0])
        self.assertTrue(first[0] and second[0])
        self.assertGreater(second[1], first[1])

    def test_an_error_names_the_item_of_an_async_generator(self) -> None:
        call = self.inline("async def handle(b):\n  yield 1\n  yield 2\n  raise ValueError('x')")
        report = self.report_of(call, [0] * 5)
        self.assertEqual((report["type"], report["item"]), ("ValueError", 2))
        self.assertNotIn("_async.py", report["traceback"].splitlines()[1])

    def test_an_async_generator_without_end_is_left_after_one_too_many(self) -> None:
        call = self.inline(
            """
            left = []
            async def handle(batch):
                try:
                    while True:
                        yield len(left)
                finally:
                    left.append(1)
            """
        )
        self.assertEqual(len(call([0, 0])), 3)
        self.assertEqual(call([0])[0], 1)

    def test_an_error_cancels_what_the_call_started_and_nothing_else(self) -> None:
        call = self.inline(
            """
            import asyncio
            log = []
            async def work(name):
                try:
                    await asyncio.sleep(60)
                finally:
                    log.append(name)
            async def fail():
                raise ValueError('x')
            async def handle(batch):
                if batch[0] == 'start':
                    asyncio.ensure_future(work('kept'))
                if batch[0] == 'fail':
                    await asyncio.gather(work('cancelled'), fail())
                return [list(log)]
            """
        )
        call(["start"])
        self.assertEqual(self.report_of(call, ["fail"])["type"], "ValueError")
        self.assertEqual(call(["look"]), [["cancelled"]])

    def test_an_interrupt_cancels_the_tasks_and_the_loop_goes_on(self) -> None:
        call = self.inline(
            """
            import asyncio, rxjs_python
            log = []
            async def sleeper():
                try:
                    await asyncio.sleep(60)
                finally:
                    log.append('cancelled')
            def interrupt():
                raise rxjs_python.Interrupted()
            async def handle(batch):
                if batch[0]:
                    asyncio.get_running_loop().call_later(0.01, interrupt)
                    await asyncio.gather(sleeper(), sleeper())
                return [list(log)]
            """
        )
        with self.assertRaises(Interrupted):
            call([True])
        self.assertEqual(call([False]), [["cancelled", "cancelled"]])

    def test_a_task_that_will_not_be_cancelled_is_given_up(self) -> None:
        from rxjs_python import _async

        self.addCleanup(setattr, _async, "CANCEL_GRACE", _async.CANCEL_GRACE)
        _async.CANCEL_GRACE = 0.02
        call = self.inline(
            """
            import asyncio
            async def stubborn():
                while True:
                    try:
                        await asyncio.sleep(60)
                    except asyncio.CancelledError:
                        pass
            async def handle(batch):
                if batch[0]:
                    asyncio.ensure_future(stubborn())
                    await asyncio.sleep(0)
                    raise ValueError('x')
                return ['well']
            """
        )
        self.assertEqual(self.report_of(call, [True])["type"], "ValueError")
        self.assertEqual(call([False]), ["well"])

    def test_each_thread_has_a_loop_of_its_own_and_close_ends_all(self) -> None:
        host = self.host()
        source = (
            "import asyncio\nloops = []\nasync def handle(b):\n"
            "  loops.append(asyncio.get_running_loop())\n"
            "  await asyncio.sleep(0.02)\n  return loops"
        )
        call = self.open(host, {"kind": "source", "source": source})
        barrier = threading.Barrier(2)

        def run() -> None:
            barrier.wait()
            call([0])

        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        loops = set(call([0]))
        self.assertEqual(len(loops), 3)
        host.close()
        self.assertTrue(all(loop.is_closed() for loop in loops))

    def test_sys_exit_in_a_coroutine_is_an_exception(self) -> None:
        call = self.inline("import sys\nasync def handle(b): sys.exit(2)")
        self.assertEqual(self.report_of(call, [0])["type"], "SystemExit")


class Filter(HostCase):
    def test_one_digit_for_each_item(self) -> None:
        for source in (
            "lambda batch: [each > 1 for each in batch]",
            "def handle(batch):\n  for each in batch:\n    yield each > 1",
            "async def handle(batch): return [each > 1 for each in batch]",
            "lambda batch: [None, 'yes', 1]",
        ):
            self.assertEqual(self.inline(source, mode="filter")([1, 2, 3]), ["011"], source)
        self.assertEqual(self.inline("lambda batch: []", mode="filter")([]), [""])

    def test_a_wrong_number_or_type(self) -> None:
        with self.assertRaisesRegex(ResultLengthError, "2 results for a batch of 1"):
            self.inline("lambda batch: [1, 2]", mode="filter")([1])
        with self.assertRaises(ResultTypeError):
            self.inline("lambda batch: True", mode="filter")([1])

    def test_a_value_that_is_neither_true_nor_false(self) -> None:
        source = """
            class Unclear:
                def __bool__(self): raise ValueError('ambiguous')
            def handle(batch): return [True, Unclear()]
            """
        report = self.report_of(self.inline(source, mode="filter"), [1, 2])
        self.assertEqual((report["message"], report["item"]), ("ambiguous", 1))


class FlatMap(HostCase):
    def test_lists_of_any_length_and_kind(self) -> None:
        source = "lambda batch: ([], [1], (2, 3), range(4, 6), (x for x in [6]))"
        self.assertEqual(self.inline(source, mode="flatMap")([0] * 5), [1, 2, 3, 4, 5, 6])

    def test_an_async_generator_of_lists(self) -> None:
        source = "async def handle(batch):\n  for each in batch:\n    yield [each, each]"
        self.assertEqual(self.inline(source, mode="flatMap")([1, 2]), [1, 1, 2, 2])

    def test_inner_results_that_are_no_lists(self) -> None:
        for inner, what in (
            ("'abc'", "a str"),
            ("None", "None"),
            ("{}", "a dict"),
            ("5", "an int"),
        ):
            call = self.inline(f"lambda batch: [[1], {inner}]", mode="flatMap")
            report = self.report_of(call, [0, 0])
            self.assertEqual((report["code"], report["item"]), ("ERR_RESULT_TYPE", 1))
            self.assertIn(f"returned {what} for item 1", report["message"])
            self.assertIsNone(report["cause"])

    def test_an_inner_generator_that_raises(self) -> None:
        source = """
            def inner(each):
                yield 1
                yield 2
                raise KeyError(each)
            def handle(batch): return [[], inner('k')]
            """
        report = self.report_of(self.inline(source, mode="flatMap"), [0, 0])
        self.assertEqual((report["type"], report["item"]), ("KeyError", 1))

    def test_a_wrong_number_of_lists(self) -> None:
        with self.assertRaises(ResultLengthError):
            self.inline("lambda batch: [[1, 2]]", mode="flatMap")([1, 2])


class ScanMode(HostCase):
    def test_the_state_rolls_over_batches(self) -> None:
        for source in (
            "lambda state, item: state + item",
            "async def handle(state, item): return state + item",
            "class Add:\n  def __call__(self, state, item): return state + item",
        ):
            call = self.inline(source, mode="scan", seed=10)
            self.assertEqual(call([1, 2]), [11, 13], source)
            self.assertEqual(call([]), [])
            self.assertEqual(call([3]), [16], source)

    def test_a_state_that_is_changed_in_place(self) -> None:
        source = """
            def handle(state, item):
                state['seen'].append(item)
                return state
            """
        call = self.inline(source, mode="scan", seed={"seen": []})
        first = call([1, 2])
        self.assertEqual(first, [{"seen": [1]}, {"seen": [1, 2]}])
        call([3])
        self.assertEqual(first, [{"seen": [1]}, {"seen": [1, 2]}])

    def test_an_error_takes_the_state_back_to_before_the_batch(self) -> None:
        for keyword in ("", "async "):
            source = f"""
                {keyword}def handle(state, item):
                    state.append(item)
                    if item is None:
                        raise ValueError('no item')
                    return state
                """
            call = self.inline(source, mode="scan", seed=[])
            call([1])
            report = self.report_of(call, [2, 3, None])
            self.assertEqual((report["type"], report["item"]), ("ValueError", 2))
            self.assertEqual(call([4]), [[1, 4]])

    def test_objects_as_state(self) -> None:
        source = """
            class State:
                total = 0
            def handle(state, item):
                state = state or State()
                state.total += item
                return state
            """
        call = self.inline(source, mode="scan")
        self.assertEqual([state.total for state in call([1, 2])], [1, 3])

    def test_a_generator_function_is_refused_when_it_is_opened(self) -> None:
        report = self.report_of(lambda: self.inline("def handle(s, i): yield s", mode="scan"))
        self.assertEqual(report["code"], "ERR_HANDLER_INIT")
        self.assertIn("generator function", report["message"])

    def test_two_handlers_of_one_source_have_a_state_each(self) -> None:
        host = self.host()
        spec = {"kind": "source", "source": "lambda state, item: state + item"}
        one = self.open(host, spec, mode="scan", seed=0)
        two = self.open(host, spec, mode="scan", seed=100)
        self.assertEqual([one([1]), two([1]), one([1])], [[1], [101], [2]])


class OtherModes(HostCase):
    def test_codec_array_goes_with_map_only(self) -> None:
        for mode in ("filter", "flatMap", "scan"):
            report = self.report_of(
                lambda mode=mode: self.inline("lambda b: b", mode=mode, codec="array")
            )
            self.assertIn("does not go with codec 'array'", report["message"])

    def test_a_mode_that_is_not_known(self) -> None:
        request = {"op": "open", "id": 1, "mode": "reduce", "spec": {"kind": "source"}}
        request["spec"]["source"] = "lambda b: b"
        self.assertRaisesRegex(ValueError, "reduce", self.host().control, json.dumps(request))
