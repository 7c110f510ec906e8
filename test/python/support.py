"""What these tests share: a stand-in for the native core, and handlers in temporary folders."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import textwrap
import unittest

PYTHON_FOLDER = os.path.join(
    os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "python"
)
if PYTHON_FOLDER not in sys.path:
    sys.path.insert(0, PYTHON_FOLDER)

from rxjs_python import _host  # noqa: E402


class FakeNative:
    """The object that the native core hands over, keeping what it is given."""

    def __init__(self) -> None:
        self.written: list[tuple[int, str]] = []
        self.logged: list[dict] = []
        self.interrupt = False

    def write(self, stream: int, text: str) -> None:
        self.written.append((stream, text))

    def log(self, text: str) -> None:
        self.logged.append(json.loads(text))

    def interrupt_requested(self) -> bool:
        return self.interrupt


class HostCase(unittest.TestCase):
    """A test with a folder of its own for handlers, and Hosts that are closed after it."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = os.path.realpath(folder.name)
        self._next = 0

    def write(self, name: str, text: str) -> str:
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(text))
        return path

    def host(self, *path: str) -> _host.Host:
        host = _host.Host(json.dumps({"path": list(path), "name": "test"}))
        self.addCleanup(host.close)
        return host

    def open(self, host: _host.Host, spec: dict, **more):
        self._next += 1
        spec = {"function": None, **spec}
        request = {"op": "open", "id": self._next, "spec": spec, "init": None, "mode": "map"}
        request.update({"seed": None, "codec": "json"}, **more)
        host.control(json.dumps(request))
        return host.handler(self._next)

    def inline(self, source: str, function: str | None = None, **more):
        spec = {"kind": "source", "source": source, "function": function}
        return self.open(self.host(), spec, **more)

    def report_of(self, action, *arguments) -> dict:
        """The report of the exception that `action` raises, as the native core makes it."""
        try:
            action(*arguments)
        except BaseException as error:
            return json.loads(_host.describe_error(error))
        self.fail("nothing was raised")


def run_python(code: str, **variables: str) -> subprocess.CompletedProcess:
    """Runs `code` in a fresh interpreter like this one."""
    environment = {**os.environ, "PYTHONPATH": PYTHON_FOLDER, **variables}
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
    )
