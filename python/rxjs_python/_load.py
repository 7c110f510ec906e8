"""Finding a handler: from a spec (module, file or inline source) to the object that it names."""

from __future__ import annotations

import importlib
import importlib.machinery
import os
import sys
from threading import RLock

from . import _inline, _suggest
from ._errors import INIT, NOT_FOUND, SYNTAX, HandlerError, Interrupted
from ._report import is_host_file, message_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, NoReturn

DEFAULT_FUNCTION = "handle"

# Of all hosts: sys.path is changed in several steps, which those of another host must not come
# between. Nothing is imported while it is held.
_path_lock = RLock()

# For each folder on sys.path that is a host's: the packages that were loaded before it came there.
# Those that came after go with the last host that has the folder.
_before: dict[str, set[str]] = {}


class Loader:
    """Loads handlers for one Host and remembers what it brought into the runtime."""

    def __init__(self, folders: list[str]) -> None:
        self.folders = [os.path.abspath(folder) for folder in folders]
        self._files: dict[str, str] = {}
        self._file_folders: list[str] = []
        self.inline = _inline.InlineSources()
        with _path_lock:
            for folder in self.folders:
                _note_before(folder)
            sys.path[0:0] = self.folders
        _look_again()

    def load(self, spec: dict[str, Any]) -> tuple[Any, str]:
        """The object that `spec` names, and a name for it to show. Raises HandlerError."""
        kind = spec["kind"]
        function = spec.get("function") or None
        if kind == "source":
            label = f"inline source:{function or DEFAULT_FUNCTION}"
            try:
                return self.inline.load(spec["source"], function), label
            except BaseException as error:
                fail(error, "the inline handler")
        if kind == "file":
            module, where = self._load_file(spec["file"]), spec["file"]
        elif kind == "module":
            module, where = self._load_module(spec["module"]), spec["module"]
        else:
            raise ValueError(f"no such kind of handler: {kind!r}")
        name = function or DEFAULT_FUNCTION
        return pick(module, name, where), f"{where}:{name}"

    def close(self) -> None:
        """Takes the folders off sys.path and forgets the modules that came from them."""
        for folder in self.folders + self._file_folders:
            _leave_path(folder)
        for name in self._files.values():
            sys.modules.pop(name, None)
        self.inline.close()
        _forget(self.folders + self._file_folders)
        _look_again()

    def _load_module(self, name: str) -> ModuleType:
        if not all(name.split(".")):
            raise HandlerError(NOT_FOUND, f"{name!r} is not the name of a module")
        self._come_first()
        clash = self._clash(name.partition(".")[0])
        if clash:
            raise HandlerError(NOT_FOUND, clash)
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if _is_itself(error, name):
                message = _suggest.module_message(name, self.folders)
                raise HandlerError(NOT_FOUND, message) from None
            fail(error, f"module {name!r}")
        except BaseException as error:
            fail(error, f"module {name!r}")

    def _come_first(self) -> None:
        """Another pool of this interpreter may have put its folders before ours in the meantime."""
        count = len(self.folders)
        with _path_lock:
            if sys.path[:count] == self.folders:
                return
            rest = list(sys.path)
            for folder in self.folders:
                if folder in rest:
                    rest.remove(folder)
            sys.path[:] = self.folders + rest

    def _clash(self, top: str) -> str:
        """Why a module of that name in our folders cannot be had, or nothing."""
        loaded = getattr(getattr(sys.modules.get(top), "__spec__", None), "origin", None)
        if top not in sys.modules or not self.folders:
            return ""
        found = importlib.machinery.PathFinder.find_spec(top, self.folders)
        if found is None or not found.has_location or found.origin is None:
            return ""
        if loaded and os.path.realpath(loaded) == os.path.realpath(found.origin):
            return ""
        return (
            f"{found.origin} cannot be imported as {top!r}: a module of that name is loaded "
            f"already, from {loaded or 'Python itself'}. Rename the file, or name it with its "
            f"path: '{found.origin}:function'."
        )

    def _load_file(self, path: str) -> ModuleType:
        full = self._find_file(path)
        folder, stem = os.path.dirname(full), os.path.splitext(os.path.basename(full))[0]
        if (
            full.endswith(".py")
            and stem.isidentifier()
            and folder in [os.path.realpath(each) for each in self.folders]
            and not self._clash(stem)
        ):
            # The same module as 'stem:function' names, so that the two share their globals.
            return self._load_module(stem)
        known = self._files.get(full)
        if known is not None and known in sys.modules:
            return sys.modules[known]
        return self._execute_file(full, folder, stem)

    def _find_file(self, path: str) -> str:
        for base in ["", *self.folders]:
            full = os.path.join(base, path)
            if os.path.isfile(full):
                return os.path.realpath(full)
        full = os.path.abspath(path)
        if os.path.isdir(full):
            raise HandlerError(NOT_FOUND, f"{full} is a folder, not a Python file")
        folder, name = os.path.split(full)
        try:
            hint = _suggest.near(name, [each for each in os.listdir(folder) if each[-3:] == ".py"])
        except OSError:
            hint = f" The folder {folder} is not there either."
        raise HandlerError(NOT_FOUND, f"there is no file {full}.{hint}")

    def _execute_file(self, full: str, folder: str, stem: str) -> ModuleType:
        name = _file_module_name(full, stem)
        loader = importlib.machinery.SourceFileLoader(name, full)
        spec = importlib.machinery.ModuleSpec(name, loader, origin=full)
        spec.has_location = True
        from importlib.util import module_from_spec

        module = module_from_spec(spec)
        sys.modules[name] = module
        with _path_lock:
            _note_before(folder)
            sys.path.insert(0, folder)
        try:
            loader.exec_module(module)
        except BaseException as error:
            sys.modules.pop(name, None)
            fail(error, full)
        finally:
            _leave_path(folder)
        self._files[full] = name
        # Last in line from now on: imports inside of functions still find the file's neighbours.
        with _path_lock:
            if folder not in sys.path:
                sys.path.append(folder)
                self._file_folders.append(folder)
        return module


def _note_before(folder: str) -> None:
    if folder not in sys.path:
        _before[folder] = {name.partition(".")[0] for name in list(sys.modules)}


def _leave_path(folder: str) -> None:
    with _path_lock:
        if folder in sys.path:
            sys.path.remove(folder)


def pick(module: ModuleType, name: str, where: str) -> Any:
    """The callable `name` (which may have dots) in `module`."""
    target: Any = module
    for part in name.split("."):
        try:
            target = getattr(target, part)
        except AttributeError:
            file = getattr(module, "__file__", None)
            full = f"{where} ({file})" if file and file != where else where
            message = _suggest.function_message(full, name, module)
            raise HandlerError(NOT_FOUND, message) from None
    if not callable(target):
        kind = type(target).__name__
        raise HandlerError(NOT_FOUND, f"{name!r} in {where} cannot be called: it is of type {kind}")
    return target


def fail(error: BaseException, who: str) -> NoReturn:
    """Raises the HandlerError that says what `error`, raised by the code of `who`, means."""
    if isinstance(error, (HandlerError, Interrupted)):
        raise error
    code, message = INIT, message_of(error)
    if isinstance(error, SyntaxError) and _is_in_a_file(error):
        line = "" if error.lineno is None else f", line {error.lineno}"
        code, message = SYNTAX, f"{error.msg} ({error.filename or who}{line})"
    elif isinstance(error, ModuleNotFoundError) and error.name:
        message = _suggest.missing_package_message(error.name, who)
    raise HandlerError(code, message, error) from error


def _is_in_a_file(error: SyntaxError) -> bool:
    """Whether the mistake is in a file or inline source, not in text that the handler evaluated."""
    if error.filename is not None and os.path.isfile(error.filename):
        return True
    step = error.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    return step is not None and is_host_file(step.tb_frame.f_code.co_filename)


def _is_itself(error: ModuleNotFoundError, name: str) -> bool:
    """Whether `error` says that `name` is not there, not that something `name` imports is not."""
    if error.name is None or not (name + ".").startswith(error.name + "."):
        return False
    step = error.__traceback__
    while step is not None:
        if not is_host_file(step.tb_frame.f_code.co_filename):
            return False
        step = step.tb_next
    return True


def _look_again() -> None:
    """Files may have been written since the import system last looked into its folders.

    What importlib.invalidate_caches() does, but without loading importlib.metadata, inspect and
    typing on the way, which takes longer than everything else here.
    """
    for finder in list(sys.path_importer_cache.values()):
        forget = getattr(finder, "invalidate_caches", None)
        if forget is not None:
            forget()


def _file_module_name(full: str, stem: str) -> str:
    """The same name for the same file in every interpreter and process."""
    from binascii import crc32

    plain = "".join(each if each.isalnum() else "_" for each in stem)
    name = f"{plain}_{crc32(os.fsencode(full)):08x}"
    while name in sys.modules and getattr(sys.modules[name], "__file__", None) != full:
        name += "_"
    return name


def _forget(folders: list[str]) -> None:
    """Drops the modules that came from `folders`, so that the next Host here starts afresh.

    Kept: what was loaded before the folder came, what another Host's folders still hold, and
    packages with compiled parts, since those cannot be loaded a second time into one interpreter.
    """
    gone: dict[str, set[str]] = {}
    with _path_lock:
        for folder in folders:
            if folder not in sys.path:
                gone[os.path.realpath(folder)] = _before.pop(folder, set())
    families: dict[str, list[str]] = {}
    for name in list(sys.modules):
        families.setdefault(name.partition(".")[0], []).append(name)
    for top, names in families.items():
        before = gone.get(_home(sys.modules.get(top)) or "")
        if before is None or top in before:
            continue
        if not any(_is_compiled(sys.modules.get(name)) for name in names):
            for name in names:
                sys.modules.pop(name, None)
    for folder in folders:
        sys.path_importer_cache.pop(folder, None)


def _home(module: Any) -> str | None:
    origin = getattr(getattr(module, "__spec__", None), "origin", None)
    if not isinstance(origin, str) or not os.path.isabs(origin):
        return None
    folder = os.path.dirname(os.path.realpath(origin))
    return os.path.dirname(folder) if getattr(module, "__path__", None) is not None else folder


def _is_compiled(module: Any) -> bool:
    loader = getattr(getattr(module, "__spec__", None), "loader", None)
    return isinstance(loader, importlib.machinery.ExtensionFileLoader)
