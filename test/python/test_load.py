"""Finding handlers: modules, files, inline source, and what is said when there is none."""

import json
import os
import sys

from support import HostCase

MODULE = {"kind": "module"}


class LoadModule(HostCase):
    def test_the_default_function_is_handle_and_is_not_wrapped(self) -> None:
        self.write("salary_a.py", "def handle(batch): return batch\n")
        call = self.open(self.host(self.folder), {**MODULE, "module": "salary_a"})
        self.assertIs(call, sys.modules["salary_a"].handle)

    def test_a_dotted_module_and_a_dotted_function(self) -> None:
        self.write("pack_a/__init__.py", "")
        self.write(
            "pack_a/sub.py", "class Box:\n    @staticmethod\n    def go(batch): return [1]\n"
        )
        spec = {**MODULE, "module": "pack_a.sub", "function": "Box.go"}
        self.assertEqual(self.open(self.host(self.folder), spec)([0]), [1])

    def test_an_unknown_module_says_where_it_was_looked_for_and_what_is_near(self) -> None:
        self.write("salary_b.py", "")
        host = self.host(self.folder)
        report = self.report_of(self.open, host, {**MODULE, "module": "salry_b"})
        self.assertEqual(report["code"], "ERR_HANDLER_NOT_FOUND")
        self.assertIn("Did you mean 'salary_b'", report["message"])
        self.assertIn(self.folder, report["message"])

    def test_an_unknown_submodule_is_not_found_too(self) -> None:
        self.write("pack_b/__init__.py", "")
        host = self.host(self.folder)
        report = self.report_of(self.open, host, {**MODULE, "module": "pack_b.nothing"})
        self.assertEqual(report["code"], "ERR_HANDLER_NOT_FOUND")

    def test_an_empty_part_of_a_name_is_not_found(self) -> None:
        for name in ("", ".x", "x..y"):
            report = self.report_of(self.open, self.host(), {**MODULE, "module": name})
            self.assertEqual(report["code"], "ERR_HANDLER_NOT_FOUND", name)

    def test_a_missing_import_of_the_module_is_a_failed_set_up_that_names_the_package(self) -> None:
        self.write("needs_a.py", "import sklearn_that_is_not_there\n")
        host = self.host(self.folder)
        report = self.report_of(self.open, host, {**MODULE, "module": "needs_a"})
        self.assertEqual(report["code"], "ERR_HANDLER_INIT")
        self.assertEqual(report["type"], "ModuleNotFoundError")
        self.assertIn("-m pip install sklearn_that_is_not_there", report["message"])
        self.assertIn("needs_a.py", report["traceback"])
        self.assertNotIn("importlib", report["traceback"])

    def test_a_missing_import_of_its_own_package_is_no_unknown_handler(self) -> None:
        self.write("pack_c/__init__.py", "")
        self.write("pack_c/main.py", "import pack_c.helper\n")
        host = self.host(self.folder)
        report = self.report_of(self.open, host, {**MODULE, "module": "pack_c.main"})
        self.assertEqual(report["code"], "ERR_HANDLER_INIT")
        self.assertIn("'pack_c' is there", report["message"])

    def test_an_unknown_function_names_those_that_are_there(self) -> None:
        self.write("salary_c.py", "import json\ndef handle(b): return b\ndef other(b): return b\n")
        spec = {**MODULE, "module": "salary_c", "function": "handel"}
        report = self.report_of(self.open, self.host(self.folder), spec)
        self.assertEqual(report["code"], "ERR_HANDLER_NOT_FOUND")
        self.assertIn("Did you mean 'handle'", report["message"])
        self.assertIn("It defines: handle, other.", report["message"])

    def test_something_that_cannot_be_called(self) -> None:
        self.write("salary_d.py", "handle = 5\n")
        report = self.report_of(self.open, self.host(self.folder), {**MODULE, "module": "salary_d"})
        self.assertEqual(report["code"], "ERR_HANDLER_NOT_FOUND")
        self.assertIn("type int", report["message"])

    def test_a_syntax_error_names_file_and_line(self) -> None:
        path = self.write("broken_a.py", "def handle(batch):\n    return [\n")
        report = self.report_of(self.open, self.host(self.folder), {**MODULE, "module": "broken_a"})
        self.assertEqual(report["code"], "ERR_HANDLER_SYNTAX")
        self.assertEqual(report["type"], "SyntaxError")
        self.assertRegex(report["message"], r"broken_a\.py, line \d")
        self.assertIn(path, report["traceback"])
        self.assertNotIn("importlib", report["traceback"])

    def test_an_import_that_raises_or_exits(self) -> None:
        self.write("raises_a.py", "raise RuntimeError('no model here')\n")
        self.write("raises_b.py", "import sys\nsys.exit(3)\n")
        host = self.host(self.folder)
        report = self.report_of(self.open, host, {**MODULE, "module": "raises_a"})
        self.assertEqual(report["code"], "ERR_HANDLER_INIT")
        self.assertEqual(report["message"], "no model here")
        report = self.report_of(self.open, host, {**MODULE, "module": "raises_b"})
        self.assertEqual((report["code"], report["type"]), ("ERR_HANDLER_INIT", "SystemExit"))
        self.assertIn("sys.exit(3) was called", report["message"])

    def test_a_name_that_is_taken_by_another_module_is_an_error_not_that_module(self) -> None:
        self.write("json.py", "def handle(batch): return batch\n")
        host = self.host(self.folder)
        report = self.report_of(self.open, host, {**MODULE, "module": "json"})
        self.assertEqual(report["code"], "ERR_HANDLER_NOT_FOUND")
        self.assertIn("is loaded already", report["message"])
        self.assertIs(sys.modules["json"], json)

    def test_two_hosts_with_modules_of_one_name_do_not_mix_them_up(self) -> None:
        self.write("one/twin.py", "def handle(batch): return ['one']\n")
        self.write("two/twin.py", "def handle(batch): return ['two']\n")
        first = self.host(os.path.join(self.folder, "one"))
        self.open(first, {**MODULE, "module": "twin"})
        second = self.host(os.path.join(self.folder, "two"))
        report = self.report_of(self.open, second, {**MODULE, "module": "twin"})
        self.assertIn("is loaded already", report["message"])
        path = os.path.join(self.folder, "two", "twin.py")
        self.assertEqual(self.open(second, {"kind": "file", "file": path})([1]), ["two"])

    def test_the_last_of_several_hosts_with_a_folder_takes_its_modules_along(self) -> None:
        self.write(
            "counter.py", "calls = []\ndef handle(batch): calls.append(1); return [len(calls)]\n"
        )
        spec = {**MODULE, "module": "counter"}
        first = self.host(self.folder)
        self.assertEqual(self.open(first, spec)([1]), [1])
        second = self.host(self.folder)  # the module is loaded already when this one comes
        self.assertEqual(self.open(second, spec)([1]), [2])
        first.close()
        self.assertEqual(self.open(second, spec)([1]), [3])
        second.close()
        self.assertNotIn("counter", sys.modules)
        self.assertEqual(self.open(self.host(self.folder), spec)([1]), [1])


class LoadFile(HostCase):
    def test_a_file_is_loaded_once_with_its_neighbours(self) -> None:
        self.write("dir/neighbour_a.py", "VALUE = 7\n")
        self.write("dir/late_a.py", "VALUE = 8\n")
        path = self.write(
            "dir/my-handler.py",
            """
            import neighbour_a
            loaded = 0
            def load():
                global loaded
                loaded += 1
            def handle(batch):
                import late_a
                return [loaded + neighbour_a.VALUE + late_a.VALUE for _ in batch]
            """,
        )
        host = self.host()
        spec = {"kind": "file", "file": path}
        init = {"kind": "file", "file": path, "function": "load"}
        self.assertEqual(self.open(host, spec, init=init)([0]), [16])
        self.assertEqual(self.open(host, spec, init=init)([0]), [16], "set up once")

    def test_file_and_module_name_are_one_module_in_a_folder_of_the_path(self) -> None:
        path = self.write(
            "both_a.py", "state = []\ndef load(): state.append(1)\ndef handle(b): return state\n"
        )
        init = {"kind": "module", "module": "both_a", "function": "load"}
        call = self.open(self.host(self.folder), {"kind": "file", "file": path}, init=init)
        self.assertEqual(call([0]), [1])

    def test_a_missing_file_names_what_is_near(self) -> None:
        self.write("salary_f.py", "")
        spec = {"kind": "file", "file": os.path.join(self.folder, "salry_f.py")}
        report = self.report_of(self.open, self.host(), spec)
        self.assertEqual(report["code"], "ERR_HANDLER_NOT_FOUND")
        self.assertIn("Did you mean 'salary_f.py'", report["message"])
        spec = {"kind": "file", "file": os.path.join(self.folder, "gone", "x.py")}
        self.assertIn(
            "is not there either", self.report_of(self.open, self.host(), spec)["message"]
        )
        report = self.report_of(self.open, self.host(), {"kind": "file", "file": self.folder})
        self.assertIn("is a folder", report["message"])

    def test_a_file_is_found_through_the_path_option(self) -> None:
        self.write("sub/rel_a.py", "def handle(b): return ['rel']\n")
        call = self.open(self.host(self.folder), {"kind": "file", "file": "sub/rel_a.py"})
        self.assertEqual(call([1]), ["rel"])

    def test_a_file_that_raises_can_be_tried_again(self) -> None:
        path = self.write("again_a.py", "1/0\n")
        host = self.host()
        report = self.report_of(self.open, host, {"kind": "file", "file": path})
        self.assertEqual(
            (report["code"], report["type"]), ("ERR_HANDLER_INIT", "ZeroDivisionError")
        )
        self.write("again_a.py", "def handle(batch): return ['second try']\n")
        self.assertEqual(self.open(host, {"kind": "file", "file": path})([0]), ["second try"])


class LoadInline(HostCase):
    def test_what_is_chosen(self) -> None:
        cases = {
            "def handle(b): return [1]\ndef other(b): return [2]": None,
            "from json import dumps\nimport os\ndef only(b): return [1]": None,
            "lambda batch: [1 for _ in batch]": None,
            "\n      def handle(batch):\n          return [1]\n    ": None,
            "class Only:\n  def __call__(self, b): return [1]": None,
            "only = lambda b: [1]": None,
            "def a(b): return [2]\ndef b(b): return [1]": "b",
        }
        for source, function in cases.items():
            self.assertEqual(self.inline(source, function)([0]), [1], source)

    def test_what_cannot_be_chosen(self) -> None:
        cases = {
            "def a(b): return b\ndef b(b): return b": "defines a, b, and none",
            "x = 1": "defines no function",
            "": "defines no function",
            "5 + 5": "comes to an int",
        }
        for source, message in cases.items():
            report = self.report_of(self.inline, source)
            self.assertEqual(report["code"], "ERR_HANDLER_NOT_FOUND", source)
            self.assertIn(message, report["message"])
            self.assertIsNone(report["cause"])

    def test_mistakes_in_the_source(self) -> None:
        report = self.report_of(self.inline, "\ndef handle(batch)\n  return 1\n")
        self.assertEqual(report["code"], "ERR_HANDLER_SYNTAX")
        self.assertRegex(report["message"], r"<handler inline-\d+>, line 2\)")
        self.assertIn("def handle(batch)", report["traceback"])
        self.assertNotIn("another exception occurred", report["traceback"])
        report = self.report_of(self.inline, "def handle(b):\n  return '\0'\n")
        self.assertEqual(report["code"], "ERR_HANDLER_SYNTAX")
        report = self.report_of(self.inline, "x = 1\nraise KeyError('k')\n")
        self.assertEqual((report["code"], report["message"]), ("ERR_HANDLER_INIT", "'k'"))
        self.assertIn("raise KeyError('k')", report["traceback"])
        self.assertNotIn("SyntaxError", report["traceback"])
        report = self.report_of(self.inline, "import sys\nsys.exit(1)\n")
        self.assertEqual((report["code"], report["type"]), ("ERR_HANDLER_INIT", "SystemExit"))

    def test_annotations_are_not_those_of_our_own_modules(self) -> None:
        source = "def handle(batch: [].append): return [type(handle.__annotations__['batch'])]"
        self.assertIsNot(self.inline(source)([0])[0], str)

    def test_dataclasses_find_their_module(self) -> None:
        source = """
            from __future__ import annotations
            import dataclasses
            @dataclasses.dataclass
            class Point:
                x: int
            def handle(batch):
                return [Point(1).x]
            """
        self.assertEqual(self.inline(source)([0]), [1])

    def test_set_up_and_handler_of_one_source_share_their_globals(self) -> None:
        source = (
            "model = None\ndef load():\n  global model\n  model = 4\ndef handle(b): return [model]"
        )
        init = {"kind": "source", "source": source, "function": "load"}
        self.assertEqual(self.inline(source, init=init)([0]), [4])

    def test_many_inline_handlers_leave_nothing_behind(self) -> None:
        import linecache

        host = self.host()

        def rounds(count: int) -> tuple[int, int]:
            for number in range(count):
                source = f"def handle(batch): return [{number}]"
                call = self.open(host, {"kind": "source", "source": source}, init=None)
                self.assertEqual(call([0]), [number])
                host.control(json.dumps({"op": "close", "id": self._next}))
                self.report_of(self.open, host, {"kind": "source", "source": f"x = {number}"})
            lines = [name for name in linecache.cache if name.startswith("<handler")]
            return len(sys.modules), len(lines)

        self.assertEqual(rounds(50), rounds(100))
