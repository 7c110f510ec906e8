"""Runs the algorithms of pipelines: ``start(args, hkubeapi)``, and what they ask of the run."""

from __future__ import annotations

import hashlib
import sys
from threading import Lock

from . import host
from ._environ import environment
from ._load import Loader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from concurrent.futures import Future
    from typing import Any

CALLBACK = "rxjs-python graph"

_lock = Lock()
_loader: Loader | None = None
# By kind, place and function: what is called, and the hash of its code.
_loaded: dict[tuple[str, str, str], tuple[Any, str]] = {}


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


def running(start: Any) -> Any:
    """Like `run`, with `start` in place of the tasks' own algorithms."""

    def run_with(batch: list[dict[str, Any]]) -> list[Any]:
        return [_run(task, start) for task in batch]

    return run_with


def _run(task: dict[str, Any], start: Any = None) -> Any:
    start = start or load(task["spec"])
    with environment(task["env"]):
        return start(task["args"], Api(task["token"], task["env"]))
