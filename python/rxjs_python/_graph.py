"""Runs the algorithms of pipelines: ``start(args, hkubeapi)``, and what they ask of the run."""

from __future__ import annotations

import hashlib
import os
import sys
from contextlib import contextmanager
from threading import Lock

from . import host
from ._load import Loader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from typing import Any

CALLBACK = "rxjs-python graph"

_lock = Lock()
_loader: Loader | None = None
# By kind, place and function: what is called, and the hash of its code.
_loaded: dict[tuple[str, str, str], tuple[Any, str]] = {}
_environ_lock = Lock()
# What variables were before the first of the tasks that have set them, and how many those are.
_before: dict[str, str | None] = {}
_users: dict[str, int] = {}


class Api:
    """What an algorithm is given besides its arguments.

    Each method waits for the result, and meanwhile this interpreter runs what it has started; with
    ``blocking=False`` it returns a future at once.
    """

    def __init__(self, token: int, env: dict[str, str]) -> None:
        self._token = token
        self.env = env

    def start_algorithm(
        self,
        algorithmName: str,
        input: list[Any] | None = None,
        includeResult: bool = True,
        blocking: bool = True,
    ) -> Any:
        """Runs an algorithm within the current pipeline."""
        return self._ask(blocking, "algorithm", algorithmName, input or [], includeResult)

    def start_stored_subpipeline(
        self,
        subPipelineName: str,
        flowInput: Any = None,
        includeResult: bool = True,
        blocking: bool = True,
    ) -> Any:
        """Runs a pipeline by its name."""
        return self._ask(blocking, "stored", subPipelineName, flowInput, includeResult)

    def start_raw_subpipeline(
        self,
        name: str,
        nodes: list[dict[str, Any]],
        flowInput: Any = None,
        options: dict[str, Any] | None = None,
        webhooks: dict[str, Any] | None = None,
        includeResult: bool = True,
        blocking: bool = True,
    ) -> Any:
        """Runs a pipeline made of these nodes."""
        return self._ask(
            blocking, "raw", name, nodes, flowInput, options or {}, webhooks or {}, includeResult
        )

    def _ask(self, blocking: bool, call: str, *args: Any) -> Any:
        if blocking:
            return host.call(CALLBACK, self._token, call, *args)
        future: Future[Any] = host.submit(CALLBACK, self._token, call, *args)
        return future


def run(batch: list[dict[str, Any]]) -> list[Any]:
    """A batch of tasks, mostly one."""
    return [_run(task) for task in batch]


def code(specs: list[dict[str, Any]]) -> list[str]:
    """For each algorithm a text that is another one when its code has changed."""
    return [_known(spec)[1] for spec in specs]


def load(spec: dict[str, Any]) -> Any:
    """The function or class that a spec names; loaded once in an interpreter."""
    return _known(spec)[0]


def _known(spec: dict[str, Any]) -> tuple[Any, str]:
    global _loader
    place = spec.get("source") or spec.get("file") or spec["module"]
    name = (spec["kind"], place, spec.get("function") or "")
    known = _loaded.get(name)
    if known is not None:
        return known
    with _lock:
        if _loader is None:
            _loader = Loader([])
        target = _loader.load(spec)[0]
        # What is hashed is what was loaded: the file may change afterwards.
        known = _loaded[name] = (target, _hash(spec, target))
    return known


def _hash(spec: dict[str, Any], target: Any) -> str:
    text = (spec.get("source") or "").encode()
    file = getattr(sys.modules.get(target.__module__), "__file__", None)
    if spec["kind"] != "source" and file:
        with open(file, "rb") as source:
            text = source.read()
    return hashlib.sha256(f"{spec.get('function')}:".encode() + text).hexdigest()


def _run(task: dict[str, Any]) -> Any:
    start = load(task["spec"])
    with environment(task["env"]):
        return start(task["args"], Api(task["token"], task["env"]))


@contextmanager
def environment(env: dict[str, str]) -> Iterator[None]:
    """Sets variables, and puts back what was there when the last task that has set them is done.

    Threads that share an interpreter share its variables: tasks that set the same one to different
    values must not run at a time there.
    """
    if not env:
        yield
        return
    with _environ_lock:
        for name, value in env.items():
            if _users.get(name, 0) == 0:
                _before[name] = os.environ.get(name)
            _users[name] = _users.get(name, 0) + 1
            os.environ[name] = value
    try:
        yield
    finally:
        with _environ_lock:
            for name in env:
                _users[name] -= 1
                if _users[name] > 0:
                    continue
                previous = _before.pop(name)
                if previous is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = previous
