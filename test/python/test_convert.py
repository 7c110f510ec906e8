"""Arrays in and out, and the JSON form of values that JSON has none for."""

import collections
import dataclasses
import datetime
import decimal
import enum
import json
import math
import unittest
import uuid
from array import array

from rxjs_python import BigInt, ResultEncodeError, ResultTypeError
from support import HostCase, _host, run_python

try:
    import numpy
except ImportError:
    numpy = None
try:
    import pandas
except ImportError:
    pandas = None

needs_numpy = unittest.skipIf(numpy is None, "numpy is not installed in this Python")
needs_pandas = unittest.skipIf(pandas is None, "pandas is not installed in this Python")

DTYPES = ("<i1", "<u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f4", "<f8")


def encode(value: object) -> object:
    return json.loads(json.dumps(value, default=_host.json_default))


@needs_numpy
class ToArray(unittest.TestCase):
    def test_waits_while_another_thread_imports_numpy(self) -> None:
        result = run_python(
            """
            import sys, threading
            from rxjs_python import _convert
            importing = threading.Thread(target=lambda: __import__("numpy"))
            importing.start()
            while "numpy" not in sys.modules:
                pass
            print(_convert.to_array(bytearray(8), "<f8"))
            """
        )
        self.assertEqual((result.stdout, result.returncode), ("[0.]\n", 0), result.stderr)

    def test_every_type_without_a_copy(self) -> None:
        for code in DTYPES:
            data = bytearray(16)
            view = _host.to_array(memoryview(data), code)
            self.assertEqual((view.dtype, view.nbytes), (numpy.dtype(code), 16))
            view[:] = 1
            self.assertEqual(bytes(data), numpy.ones(len(view), code).tobytes())

    def test_shapes_and_strides_without_a_copy(self) -> None:
        data = bytearray(numpy.arange(12, dtype="<i2").tobytes())
        view = _host.to_array(memoryview(data), "<i2", [11, 3, 2, -4, -1])
        self.assertEqual(view.tolist(), [[11, 10], [7, 6], [3, 2]])
        view[0, 0] = 99
        self.assertEqual(data[22], 99)
        self.assertEqual(_host.to_array(memoryview(data), "<i2", [5]).tolist(), 5)
        empty = _host.to_array(memoryview(b""), "<i2", [0, 2, 0, 7, 7])
        self.assertEqual(empty.shape, (2, 0))

    def test_zero_length_and_read_only(self) -> None:
        self.assertEqual(_host.to_array(memoryview(b""), "<f8").shape, (0,))
        self.assertFalse(_host.to_array(memoryview(b"12345678"), "<f8").flags.writeable)


@needs_numpy
class FromArray(HostCase):
    def test_an_array_that_fits_is_passed_on_itself(self) -> None:
        for code in DTYPES:
            result = numpy.ones((2, 3), code)
            self.assertIs(_host.from_array(result), result)

    def test_what_is_made_to_fit(self) -> None:
        base = numpy.arange(12, dtype="<f8").reshape(3, 4)
        frozen = numpy.arange(3)
        frozen.flags.writeable = False
        cases = [
            (base.T, base.T),
            (base[:, ::2], base[:, ::2]),
            (frozen, frozen),
            (numpy.arange(3, dtype=">f4"), [0, 1, 2]),
            (numpy.array([[True, False]]).T, [[1], [0]]),
            (numpy.True_, [1]),
            (numpy.float32(1.5), [1.5]),
            (numpy.array(7), [7]),
            (2.5, [2.5]),
            (3, [3]),
            (array("d", [1, 2]), [1, 2]),
            (b"\x01\x02", [1, 2]),
            (numpy.broadcast_to(numpy.int32(4), (3,)), [4, 4, 4]),
            (numpy.zeros((0, 3)), numpy.zeros((0, 3))),
        ]
        for given, expected in cases:
            result = _host.from_array(given)
            numpy.testing.assert_array_equal(result, expected)
            view = memoryview(result)
            self.assertTrue(view.c_contiguous and not view.readonly and view.ndim > 0)
            self.assertTrue(result.dtype.isnative)

    def test_dtypes_that_no_typed_array_has(self) -> None:
        for given, hint in (
            (numpy.ones(2, "f2"), "float32"),
            (numpy.ones(2, "c16"), "imaginary"),
            (numpy.array([None]), "float64"),
            (numpy.array(["2020-01-01"], "M8[s]"), "int64"),
            (numpy.array(["x"]), "codec 'string'"),
            (numpy.zeros(2, [("a", "f4")]), "each field"),
            (numpy.ma.masked_array([1.0, 2.0], [True, False]), "filled"),
            (2**70, "dtype object"),
        ):
            report = self.report_of(_host.from_array, given)
            self.assertEqual(report["code"], "ERR_RESULT_ENCODE", given)
            self.assertIn(hint, report["message"])

    def test_what_is_no_array(self) -> None:
        for given, hint in (([1, 2], "numpy.asarray"), (None, "`return`"), ({}, "not a dict")):
            with self.assertRaisesRegex(ResultTypeError, hint):
                _host.from_array(given)

    def test_async_handlers(self) -> None:
        call = self.inline("async def handle(chunk): return chunk * 2", codec="array")
        self.assertEqual(_host.from_array(call(numpy.ones(2))).tolist(), [2, 2])


class NoNumpy(unittest.TestCase):
    def test_the_error_says_what_to_install(self) -> None:
        result = run_python(
            "import sys\nsys.modules['numpy'] = None\nfrom rxjs_python import _host\n"
            "try:\n  _host.to_array(memoryview(b''), '<f8')\n"
            "except Exception as error:\n  print(_host.describe_error(error))\n"
        )
        self.assertEqual(result.returncode, 0, result.stderr)
        report = json.loads(result.stdout)
        self.assertEqual(report["code"], "ERR_CODEC")
        self.assertIn("-m pip install numpy", report["message"])


class JsonDefault(HostCase):
    def test_dates_and_dataclasses(self) -> None:
        @dataclasses.dataclass
        class Point:
            x: int
            when: datetime.date

        self.assertEqual(
            encode([Point(1, datetime.date(2020, 1, 2)), datetime.time(1, 2)]),
            [{"x": 1, "when": "2020-01-02"}, "01:02:00"],
        )
        zone = datetime.timezone.utc
        self.assertEqual(
            encode(datetime.datetime(2020, 1, 2, tzinfo=zone)), "2020-01-02T00:00:00+00:00"
        )

    def test_what_has_no_form_says_what_to_do(self) -> None:
        class Color(enum.Enum):
            RED = 1

        class Custom:
            pass

        for value, what, hint in (
            ({1}, "a set", "list(...)"),
            (b"x", "a bytes", "codec 'buffer'"),
            (memoryview(b"x"), "a memoryview", "codec 'buffer'"),
            (decimal.Decimal(1), "a decimal.Decimal", "float(...) or str(...)"),
            (1j, "a complex", "real"),
            (datetime.timedelta(1), "a datetime.timedelta", "total_seconds"),
            (uuid.UUID(int=0), "an uuid.UUID", "str(...)"),
            (Color.RED, "Color", ".value"),
            (range(3), "a range", "list(...)"),
            (collections.deque(), "a collections.deque", "list(...)"),
            (print, "a builtin_function_or_method", "turn it into"),
            (Custom(), "Custom", "turn it into"),
        ):
            with self.assertRaises(ResultEncodeError) as caught:
                _host.json_default(value)
            self.assertEqual(caught.exception.code, "ERR_RESULT_ENCODE")
            self.assertIn(what, str(caught.exception))
            self.assertIn(hint, str(caught.exception))

    @needs_numpy
    def test_numpy(self) -> None:
        value = {
            "int": numpy.int64(5),
            "bool": numpy.bool_(True),
            "float": numpy.float32(0.5),
            "long": numpy.longdouble(0.5),
            "array": numpy.arange(4).reshape(2, 2),
            "dates": numpy.array(["2020-01-01", "NaT"], "M8[D]"),
            "nanoseconds": numpy.datetime64("2020-01-01T00:00:00", "ns"),
            "nat": numpy.datetime64("NaT"),
            "masked": numpy.ma.masked_array([1, 2], [True, False]),
        }
        self.assertEqual(
            encode(value),
            {
                "int": 5,
                "bool": True,
                "float": 0.5,
                "long": 0.5,
                "array": [[0, 1], [2, 3]],
                "dates": ["2020-01-01", None],
                "nanoseconds": "2020-01-01T00:00:00.000000000",
                "nat": None,
                "masked": [None, 2],
            },
        )
        self.assertTrue(math.isnan(encode(numpy.float32("nan"))))
        for bad in (numpy.complex64(1j), numpy.timedelta64(1, "s"), numpy.array([b"x"])):
            self.assertRaises(ResultEncodeError, encode, bad)

    @needs_numpy
    def test_numpy_results(self) -> None:
        matrix = numpy.arange(6, dtype="u1").reshape(2, 3)
        self.assertEqual(_host.as_list(matrix, 2, True), [[0, 1, 2], [3, 4, 5]])
        rows = _host.as_list(matrix, 2, True, True)
        self.assertEqual([bytes(row) for row in rows], [b"\0\1\2", b"\3\4\5"])
        self.assertRaises(ResultTypeError, _host.as_list, numpy.array(1), 1, True)
        keep = self.inline("import numpy\nhandle = lambda b: numpy.array(b) > 1", mode="filter")
        self.assertEqual(keep([1, 2]), ["01"])

    @needs_pandas
    def test_pandas(self) -> None:
        stamp = pandas.Timestamp("2020-01-02T03:04:05")
        self.assertEqual(encode([stamp, pandas.NaT, pandas.NA]), [stamp.isoformat(), None, None])
        self.assertEqual(encode(pandas.Series([1, 2])), [1, 2])
        self.assertRaisesRegex(ResultEncodeError, "total_seconds", encode, pandas.Timedelta(1))
        frame = pandas.DataFrame({"a": [1, 2]})
        self.assertRaisesRegex(ResultEncodeError, "records", encode, frame)
        self.assertEqual(_host.as_list(frame, 2, True), [{"a": 1}, {"a": 2}])
        self.assertEqual(_host.as_list(pandas.Series(["x"]), 1, True), ["x"])


class BigIntType(unittest.TestCase):
    def test_it_is_an_int_that_remembers_where_it_came_from(self) -> None:
        value = BigInt("123")
        self.assertEqual((value, str(value), value + 1), (123, "123", 124))
        self.assertIsInstance(value, int)
        self.assertEqual({value: 1}[123], 1)
