"""Prints what an embedding program must know about the Python that runs this, as one line of JSON.

It runs under whatever the user named, Python 2 and PyPy included, so that the answer can say what
is wrong with it.
"""

from __future__ import print_function

import sys

# The folder of this file: its modules must not stand in for those of the standard library.
del sys.path[0]

import json
import os
import platform
import struct
import sysconfig

# What sitecustomize, .pth files and shims print comes before the mark.
MARK = "\nrxjs-python-probe:"


def variable(name):
    value = sysconfig.get_config_var(name)
    return value if value else None


def mapped_library():
    """The libpython that this very process has loaded; None where the executable contains it."""
    try:
        with open("/proc/self/maps") as maps:
            for line in maps:
                path = line.rstrip("\n").split(None, 5)[5:]
                name = os.path.basename(path[0]) if path else ""
                if name.startswith("libpython") and ".so" in name and name != "libpython3.so":
                    return path[0]
    except (IOError, OSError):
        pass
    return None


def candidates(base_prefix):
    """Where a shared library of this Python may lie, the likeliest first."""
    major, minor = sys.version_info[:2]
    short = "libpython%d.%d%s" % (major, minor, getattr(sys, "abiflags", ""))
    names = [variable("INSTSONAME"), variable("LDLIBRARY")]
    names[1:1] = [short + ending for ending in (".so.1.0", ".so", ".dylib")]
    # A relocated build still names the folder that it was built for in LIBDIR; a system Python
    # adds MULTIARCH.
    home = os.path.dirname(os.path.dirname(os.path.realpath(sys.executable or "")))
    folders = [variable("LIBDIR")]
    for prefix in (base_prefix, getattr(sys, "base_exec_prefix", None), home):
        if prefix:
            folders.extend([os.path.join(prefix, "lib"), os.path.join(prefix, "lib64")])
    multiarch = variable("MULTIARCH")
    if multiarch:
        folders.extend([os.path.join(folder, multiarch) for folder in folders if folder])
    found = []
    for folder in folders:
        for name in names:
            if folder and name and not name.endswith(".a"):
                path = os.path.join(folder, name)
                if path not in found:
                    found.append(path)
    return found


def main():
    base_prefix = getattr(sys, "base_prefix", sys.prefix)
    searched = candidates(base_prefix)
    library = mapped_library()
    if library is None:
        library = next((path for path in searched if os.path.isfile(path)), None)
    answer = {
        "version": list(sys.version_info[:3]),
        "executable": sys.executable,
        "prefix": sys.prefix,
        "basePrefix": base_prefix,
        "library": library,
        "searched": searched,
        "freeThreaded": bool(variable("Py_GIL_DISABLED")),
        "gil": getattr(sys, "_is_gil_enabled", lambda: True)(),
        "debug": bool(variable("Py_DEBUG")),
        "implementation": platform.python_implementation(),
        "venv": sys.prefix != base_prefix,
        "machine": platform.machine(),
        "bits": struct.calcsize("P") * 8,
        "multiarch": variable("MULTIARCH"),
    }
    print(MARK + json.dumps(answer))


main()
