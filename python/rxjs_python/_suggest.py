"""What to say when a name was not found: where it was looked for, and what is there instead."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

# Packages whose name on PyPI is not the name that is imported.
_PACKAGES = {
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


def near(name: str, known: Iterable[str]) -> str:
    """' Did you mean …?' for the known names that look like `name`, or nothing."""
    import difflib

    close = difflib.get_close_matches(name, sorted(set(known)), 3, 0.6)
    if not close:
        return ""
    return f" Did you mean {' or '.join(repr(each) for each in close)}?"


def modules_in(folders: Iterable[str]) -> set[str]:
    """Names that could be imported from `folders`."""
    names: set[str] = set()
    for folder in folders:
        try:
            entries = list(os.scandir(folder or "."))
        except OSError:
            continue
        for entry in entries:
            stem, suffix = os.path.splitext(entry.name)
            is_module = suffix == ".py" or (not suffix and entry.is_dir())
            if is_module and stem.isidentifier():
                names.add(stem)
    return names


def module_message(name: str, folders: list[str]) -> str:
    own = ", ".join(folders) or "(no folders: the option `path` is empty)"
    rest = ", ".join(entry or "." for entry in sys.path if entry not in folders)
    return (
        f"there is no module {name!r}.{near(name, modules_in([*folders, *sys.path]))} "
        f"Folders of the option `path`: {own}. Then: {rest}. "
        "Add the folder that holds it to the option `path`, "
        "or name the file: 'dir/file.py:function'."
    )


def functions_of(module: ModuleType) -> list[str]:
    """Public callables that the module itself defines."""
    return [
        name
        for name, value in vars(module).items()
        if callable(value)
        and not name.startswith("_")
        and getattr(value, "__module__", None) == module.__name__
    ]


def function_message(where: str, name: str, module: ModuleType) -> str:
    names = functions_of(module)
    listed = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    defined = f" It defines: {listed}." if names else " It defines no functions."
    return f"{where} has no function {name!r}.{near(name, names)}{defined}"


def missing_package_message(missing: str, who: str) -> str:
    top = missing.partition(".")[0]
    if top != missing and top in sys.modules:
        return f"No module named {missing!r}, which {who} needs; {top!r} is there without that part"
    package = _PACKAGES.get(top, top)
    return (
        f"No module named {missing!r}, which {who} needs. Install it into the Python that runs "
        f"here, {sys.executable} -m pip install {package}, or name it in the option `requirements`."
    )
