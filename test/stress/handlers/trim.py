"""Runs in an interpreter that shares the process's C library."""

import ctypes


def handle(items):
    """Gives back to the system what malloc has kept of memory that was freed."""
    ctypes.CDLL(None).malloc_trim(0)
    return items
