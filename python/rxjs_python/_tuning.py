"""Studies of hyper-parameters, on Optuna: what values to try next, and what came of them.

Each study lies in a journal of Optuna's, so any interpreter can go on with it, and so can the next
process after this one was killed.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from itertools import islice, product
from threading import RLock

from ._errors import INIT, HandlerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

# Marks a trial that a process has left behind; its values are tried again.
_LEFT = "left"
# Marks a study of which all trials have been made.
_DONE = "done"

_lock = RLock()
_studies: dict[tuple[str, str], _Study] = {}


def handle(batch: list[dict[str, Any]]) -> list[Any]:
    """`begin`, `ask`, `tell` and `end` of studies; see lib/tuning/study.ts."""
    with _lock:
        return [_OPERATIONS[request["op"]](request) for request in batch]


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise HandlerError(
            INIT,
            f"tuning needs the package optuna, which this Python lacks ({sys.executable}): "
            f"{sys.executable} -m pip install optuna",
            error,
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


class _Lock:
    """Of a journal. The system lets it go with the process, so a killed one leaves none behind."""

    def __init__(self, path: str) -> None:
        self._path = f"{path}.lock"
        self._file = -1

    def acquire(self) -> bool:
        import fcntl

        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        self._file = file
        return True

    def release(self) -> None:
        os.close(self._file)
        self._file = -1

    @contextmanager
    def held(self) -> Iterator[None]:
        self.acquire()
        try:
            yield
        finally:
            self.release()


class _Study:
    def __init__(self, request: dict[str, Any], resumes: bool) -> None:
        optuna = _optuna()
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        path = request["file"]
        lock = _Lock(path)
        if resumes:
            with lock.held():
                _mend(path)
        self._space = request["space"]
        storage = JournalStorage(JournalFileBackend(path, lock_obj=lock))
        self.name = self._choose(storage, request, resumes)
        known = any(each.study_name == self.name for each in storage.get_all_studies())
        self.study = optuna.create_study(
            study_name=self.name,
            storage=storage,
            direction=request["direction"],
            sampler=self._sampler(optuna, request),
            load_if_exists=True,
        )
        if not known:
            self._enqueue_grid(request)
        elif resumes:
            self._take_up()

    def ask(self) -> dict[str, Any]:
        trial = self.study.ask()
        return {
            "number": trial.number,
            "params": {p["name"]: _value(trial, p) for p in self._space},
        }

    def tell(self, number: int, value: float | None, error: str | None) -> None:
        from optuna.trial import TrialState

        if value is None:
            trial_id = self._id(number)
            self.study._storage.set_trial_user_attr(trial_id, "error", error)
            self.study.tell(number, state=TrialState.FAIL)
        else:
            self.study.tell(number, value)

    def trials(self) -> list[dict[str, Any]]:
        """Those that have come to an end, but those that were left behind."""
        described = []
        for trial in self.study.get_trials(deepcopy=False):
            if not trial.state.is_finished() or _LEFT in trial.user_attrs:
                continue
            described.append(
                {
                    "number": trial.number,
                    "state": "completed" if trial.state.name == "COMPLETE" else "failed",
                    "value": trial.value,
                    "params": trial.params,
                    "error": trial.user_attrs.get("error"),
                    "started": _milliseconds(trial.datetime_start),
                    "ended": _milliseconds(trial.datetime_complete),
                }
            )
        return described

    def _choose(self, storage: Any, request: dict[str, Any], resumes: bool) -> str:
        """The name of the last study, or of the next one where that one is complete."""
        base, number = request["name"], 1
        done = {each.study_name: _DONE in each.user_attrs for each in storage.get_all_studies()}
        if not resumes:
            return request["study"]
        while done.get(f"{base}-{number}"):
            number += 1
        return f"{base}-{number}"

    def _sampler(self, optuna: Any, request: dict[str, Any]) -> Any:
        seed = request.get("seed")
        if request.get("grid") is not None:
            return optuna.samplers.RandomSampler(seed=seed)
        # Trials that run at the same time are not to try the same place.
        return optuna.samplers.TPESampler(seed=seed, constant_liar=request["parallel"] > 1)

    def _enqueue_grid(self, request: dict[str, Any]) -> None:
        grid = request.get("grid")
        if grid is None:
            return
        for values in islice(product(*grid.values()), request["trials"]):
            self.study.enqueue_trial(dict(zip(grid, values)))

    def _take_up(self) -> None:
        """What ran when the last process ended runs again."""
        from optuna.trial import TrialState

        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self.study._storage.set_trial_user_attr(trial._trial_id, _LEFT, True)
            self.study.tell(trial.number, state=TrialState.FAIL)
            # One that was killed before its values were known tries others.
            if len(trial.params) == len(self._space):
                self.study.enqueue_trial(trial.params)

    def _id(self, number: int) -> int:
        storage = self.study._storage
        return int(storage.get_trial_id_from_study_id_trial_number(self.study._study_id, number))


def _mend(path: str) -> None:
    """Takes away the half of a line that a killed process has written."""
    try:
        with open(path, "rb+") as file:
            data = file.read()
            file.truncate(data.rfind(b"\n") + 1)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)


def _value(trial: Any, param: dict[str, Any]) -> Any:
    name, kind = param["name"], param["suggest"]
    if kind == "categorical":
        return trial.suggest_categorical(name, param["choices"])
    low, high = param["low"], param["high"]
    if kind == "int":
        step, log = param.get("step"), bool(param.get("log"))
        return trial.suggest_int(name, int(low), int(high), step=int(step or 1), log=log)
    if kind == "discrete_uniform":
        return trial.suggest_float(name, low, high, step=param.get("q") or param.get("step") or 1)
    return trial.suggest_float(name, low, high, log=kind == "loguniform" or bool(param.get("log")))


def _milliseconds(time: Any) -> float | None:
    return None if time is None else time.timestamp() * 1000


def _begin(request: dict[str, Any]) -> dict[str, Any]:
    study = _Study(request, True)
    _studies[request["file"], study.name] = study
    return {"study": study.name, "trials": study.trials()}


def _known(request: dict[str, Any]) -> _Study:
    """Where another interpreter of the pool has begun it, this one opens it, too."""
    key = request["file"], request["study"]
    if key not in _studies:
        _studies[key] = _Study(request, False)
    return _studies[key]


def _ask(request: dict[str, Any]) -> dict[str, Any]:
    return _known(request).ask()


def _tell(request: dict[str, Any]) -> None:
    _known(request).tell(request["number"], request["value"], request["error"])


def _end(request: dict[str, Any]) -> dict[str, Any]:
    study = _known(request)
    if request["done"]:
        study.study.set_user_attr(_DONE, True)
    return {"trials": study.trials()}


def _forget(request: dict[str, Any]) -> None:
    _studies.pop((request["file"], request["study"]), None)


_OPERATIONS = {"begin": _begin, "ask": _ask, "tell": _tell, "end": _end, "forget": _forget}
