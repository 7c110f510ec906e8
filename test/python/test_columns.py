"""Batches as columns: what handlers are given, and what may be made of it."""

import json
import unittest

from rxjs_python import Columns, ResultEncodeError, StringColumn
from support import HostCase, _host

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


def batch() -> Columns:
    """Two items: a whole number, one with a null, a text with a null."""
    data = bytearray(64)
    data[0:8] = numpy.array([1, 2], "<i4").tobytes()
    data[8:24] = numpy.array([0.5, 0.0], "<f8").tobytes()
    data[24:26] = bytes([0, 1])
    data[32:40] = numpy.array([-1, 0], "<i4").tobytes()
    columns = [
        ["n", "int32", 0, -1, None],
        ["x", "float64", 8, 24, None],
        ["s", "string", 32, -1, ["a€"]],
    ]
    return _host.to_columns(memoryview(json.dumps([2, columns]).encode()), memoryview(data))


def sent(result: object, count: int = 2) -> list:
    """What goes to JavaScript, each column as a list of numbers."""
    answer = _host.from_columns(result, count, True)
    (parts,) = answer
    return json.loads(parts[0]) + [part.tolist() for part in parts[1:]]


@needs_numpy
class ToColumns(unittest.TestCase):
    def test_arrays_masks_and_texts(self) -> None:
        columns = batch()
        self.assertEqual((columns.count, list(columns)), (2, ["n", "x", "s"]))
        self.assertEqual((columns["n"].dtype, columns["n"].tolist()), (numpy.int32, [1, 2]))
        self.assertEqual(columns["x"].tolist(), [0.5, None])
        self.assertEqual((columns["s"].tolist(), columns["s"].values), ([None, "a€"], ["a€"]))

    def test_memory_that_is_too_short(self) -> None:
        header = json.dumps([3, [["n", "int32", 0, -1, None]]]).encode()
        with self.assertRaises(ValueError):
            _host.to_columns(memoryview(header), memoryview(bytes(8)))


@needs_numpy
class Texts(unittest.TestCase):
    def setUp(self) -> None:
        self.column = StringColumn(numpy.array([0, 1, -1, 0], "i4"), ["p", "q"])

    def test_looks_like_a_list_of_them(self) -> None:
        column = self.column
        self.assertEqual((len(column), list(column)), (4, ["p", "q", None, "p"]))
        self.assertEqual((column[1], column[-2]), ("q", None))
        self.assertEqual(column[1:3].tolist(), ["q", None])
        self.assertEqual(column[column == "p"].tolist(), ["p", "p"])
        self.assertEqual(repr(column[:2]), "StringColumn(['p', 'q'])")

    def test_compares_item_by_item(self) -> None:
        column = self.column
        self.assertEqual((column == "q").tolist(), [False, True, False, False])
        self.assertEqual((column != "q").tolist(), [True, False, True, True])
        other = StringColumn(numpy.array([1, 0, -1, 0], "i4"), ["q", "p"])
        self.assertEqual((column == other).tolist(), [True, True, True, False])
        with self.assertRaises(TypeError):
            hash(column)

    def test_becomes_an_array_of_str(self) -> None:
        array = numpy.asarray(self.column)
        self.assertEqual((array.dtype, array.tolist()), (object, ["p", "q", None, "p"]))
        self.assertEqual(numpy.asarray(self.column[:2], dtype="U1").tolist(), ["p", "q"])


@needs_numpy
class FromColumns(HostCase):
    def test_what_came_goes_back(self) -> None:
        entries = [
            ["n", "int32", False, None],
            ["x", "float64", True, None],
            ["s", "string", False, ["a€"]],
        ]
        expected = [2, entries, [1, 2], [0.5, 0.0], [False, True], [-1, 0]]
        self.assertEqual(sent(batch()), expected)

    def test_lists_are_of_the_type_of_their_values(self) -> None:
        columns = {
            "i": [1, None],
            "f": [1, 0.5],
            "b": (None, True),
            "s": ["u", None],
            "n": [None] * 2,
        }
        kinds = [(entry[1], entry[2]) for entry in sent(columns)[1]]
        expected = ["int64", "float64", "boolean", "string", "int64"]
        masked = [True, False, True, False, True]
        self.assertEqual(kinds, list(zip(expected, masked)))

    def test_other_layouts_and_byte_orders(self) -> None:
        array = numpy.arange(4, dtype=">i2")[::-2]
        answer = sent({"x": array, "h": numpy.array([0.5, 2], "f2")})
        self.assertEqual(answer[1:], [
            [["x", "int16", False, None], ["h", "float32", False, None]],
            [3, 1],
            [0.5, 2.0],
        ])  # fmt: skip

    def test_results_that_are_no_columns(self) -> None:
        for result in ([{"a": 1}, 2], iter([3, 4]), numpy.zeros((2, 2)), numpy.array(["p", "q"])):
            self.assertIsInstance(_host.from_columns(result, 2, True), list)

    def test_an_error_names_the_item(self) -> None:
        report = self.report_of(_host.from_columns, {"x": ["a", 5]}, 2, True)
        self.assertEqual((report["code"], report["item"]), ("ERR_RESULT_ENCODE", 1))

    @needs_pandas
    def test_frames_there_and_back(self) -> None:
        frame = pandas.DataFrame(batch())
        self.assertEqual(frame["n"].dtype, numpy.int32)
        frame["gone"] = frame["s"].isna()
        frame["kind"] = frame["s"].astype("category")
        frame["maybe"] = pandas.array([1, None], dtype="Int64")
        answer = sent(frame)
        kinds = [entry[:2] for entry in answer[1]]
        self.assertEqual(kinds[0], ["n", "int32"])
        self.assertEqual(kinds[2:], [
            ["s", "string"], ["gone", "boolean"], ["kind", "string"], ["maybe", "int64"]
        ])  # fmt: skip
        self.assertEqual(sent(frame["n"])[1], [[None, "int32", False, None]])
        with self.assertRaises(ResultEncodeError):
            sent(pandas.DataFrame([[1, 2], [3, 4]], columns=["x", "x"]))


if __name__ == "__main__":
    unittest.main()
