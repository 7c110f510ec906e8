"""One Host from its start to its end: init, ids, classes, closing."""

import json
import os
import sys
import threading

from support import HostCase


class Init(HostCase):
    def test_init_runs_once_for_each_host_and_may_be_async(self) -> None:
        self.write(
            "setup_a.py",
            """
            calls = []
            def load(): calls.append('load')
            async def load_async(): calls.append('async')
            def handle(batch): return list(calls)
            """,
        )
        host = self.host(self.folder)
        spec = {"kind": "module", "module": "setup_a"}
        for function in ("load", "load_async"):
            for _ in range(2):
                call = self.open(host, spec, init={**spec, "function": function})
        self.assertEqual(call([]), ["load", "async"])

    def test_init_that_fails_is_tried_again_at_the_next_open(self) -> None:
        self.write(
            "setup_b.py",
            """
            tries = 0
            def load():
                global tries
                tries += 1
                if tries == 1:
                    raise OSError('model.bin is not there')
            def handle(batch): return [tries]
            """,
        )
        host = self.host(self.folder)
        spec = {"kind": "module", "module": "setup_b"}
        init = {**spec, "function": "load"}

        def attempt() -> None:
            self.open(host, spec, init=init)

        report = self.report_of(attempt)
        self.assertEqual((report["code"], report["type"]), ("ERR_HANDLER_INIT", "OSError"))
        self.assertEqual(report["message"], "model.bin is not there")
        self.assertIn("raise OSError", report["traceback"])
        self.assertNotIn("_host.py", report["traceback"])
        self.assertEqual(self.open(host, spec, init=init)([0]), [2])

    def test_a_class_is_made_once_and_called_for_each_batch(self) -> None:
        call = self.inline(
            """
            class Model:
                def __init__(self): self.count = 0
                def __call__(self, batch):
                    self.count += 1
                    return [self.count for _ in batch]
            """
        )
        self.assertEqual([call([0]), call([0])], [[1], [2]])

    def test_a_class_that_cannot_be_made_or_called(self) -> None:
        report = self.report_of(self.inline, "class A:\n  def __init__(self): 1/0\n  __call__ = 1")
        self.assertEqual(
            (report["code"], report["type"]), ("ERR_HANDLER_INIT", "ZeroDivisionError")
        )
        report = self.report_of(self.inline, "class A:\n  pass")
        self.assertEqual(report["code"], "ERR_HANDLER_INIT")
        self.assertIn("without __call__", report["message"])


class Control(HostCase):
    def test_opening_an_id_twice_gives_the_same_handler(self) -> None:
        host = self.host()
        request = {"op": "open", "id": 1, "mode": "map", "codec": "json", "init": None}
        request["spec"] = {"kind": "source", "source": "def handle(b): return b", "function": None}
        text = json.dumps(request)
        self.assertEqual(json.loads(host.control(text)), {"name": "inline source:handle"})
        first = host.handler(1)
        host.control(text)
        self.assertIs(host.handler(1), first)
        host.control('{"op": "close", "id": 1}')
        host.control('{"op": "close", "id": 1}')
        self.assertRaises(KeyError, host.handler, 1)

    def test_an_id_that_is_opened_for_another_handler_is_that_one(self) -> None:
        host = self.host()
        request = {"op": "open", "id": 1, "mode": "map", "codec": "json", "init": None}
        for answer in (1, 2, 1):
            source = f"def handle(b): return [{answer} for _ in b]"
            spec = {"kind": "source", "source": source, "function": None}
            host.control(json.dumps({**request, "spec": spec}))
            self.assertEqual(host.handler(1)(["x"]), [answer])
        self.assertEqual(json.loads(host.control('{"op": "info"}'))["handlers"], 1)

    def test_info_and_what_is_not_known(self) -> None:
        info = json.loads(self.host(self.folder).control('{"op": "info"}'))
        self.assertEqual(info["version"], ".".join(map(str, sys.version_info[:3])))
        self.assertEqual((info["handlers"], info["path"][0]), (0, self.folder))
        self.assertRaises(ValueError, self.host().control, '{"op": "explode"}')

    def test_threads_that_open_at_once_share_one_set_up(self) -> None:
        self.write(
            "slow_a.py",
            "import time\nruns = []\ndef load():\n  time.sleep(0.05)\n  runs.append(1)\n"
            "def handle(b): return runs\n",
        )
        host = self.host(self.folder)
        spec = {"kind": "module", "module": "slow_a", "function": None}
        request = {"op": "open", "id": 1, "spec": spec, "init": {**spec, "function": "load"}}
        threads = [
            threading.Thread(target=host.control, args=(json.dumps(request),)) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(host.handler(1)([0]), [1])


class Close(HostCase):
    def test_close_leaves_the_runtime_as_it_was(self) -> None:
        self.write("left_a.py", "import left_b\ndef handle(b): return ['first']\n")
        self.write("left_b.py", "")
        file = self.write("aside/left_c.py", "import left_d\ndef handle(b): return b\n")
        self.write("aside/left_d.py", "")
        before = (list(sys.path), set(sys.modules))
        host = self.host(self.folder)
        self.open(host, {"kind": "module", "module": "left_a"})
        self.open(host, {"kind": "file", "file": file})
        self.open(host, {"kind": "source", "source": "lambda b: b"})
        host.close()
        host.close()
        self.assertEqual(sys.path, before[0])
        left = {
            name for name in set(sys.modules) - before[1] if "left_" in name or "inline" in name
        }
        self.assertEqual(left, set())
        self.write("left_a.py", "def handle(b): return ['second, longer']\n")
        again = self.host(self.folder)
        self.assertEqual(
            self.open(again, {"kind": "module", "module": "left_a"})([0]), ["second, longer"]
        )

    def test_a_folder_that_another_host_uses_keeps_its_modules(self) -> None:
        self.write("kept_a.py", "def handle(b): return b\n")
        first, second = self.host(self.folder), self.host(self.folder)
        self.open(first, {"kind": "module", "module": "kept_a"})
        first.close()
        self.assertIn("kept_a", sys.modules)
        self.assertIn(self.folder, sys.path)
        second.close()
        self.assertNotIn(self.folder, sys.path)

    def test_a_package_with_compiled_parts_stays(self) -> None:
        import importlib.machinery

        self.write("compiled_a/__init__.py", "from . import part\n")
        self.write("compiled_a/part.py", "def handle(b): return b\n")
        host = self.host(self.folder)
        self.open(host, {"kind": "module", "module": "compiled_a.part"})
        path = os.path.join(self.folder, "compiled_a", "part.so")
        loader = importlib.machinery.ExtensionFileLoader("compiled_a.part", path)
        sys.modules["compiled_a.part"].__spec__.loader = loader
        self.addCleanup(sys.modules.pop, "compiled_a", None)
        self.addCleanup(sys.modules.pop, "compiled_a.part", None)
        host.close()
        self.assertIn("compiled_a.part", sys.modules)
