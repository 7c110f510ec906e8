"""`print` and everything else that writes to sys.stdout and sys.stderr, on its way to JavaScript.

`print("a", "b")` writes four times. Each thread's text is therefore held back until its line is
complete, it is flushed, or the call ends, so that lines of different threads never tear.
"""

from __future__ import annotations

import codecs
import io
import sys
from _thread import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

STDOUT = 1
STDERR = 2

# A line longer than this many characters is passed on in pieces.
HELD_BACK_LIMIT = 8192

# Holds one entry for each text that is held back. The native core looks at its length at the end of
# a call and calls flush_output() only where it is not 0. Always the same list object.
pending_output: list[None] = []


class OutputStream(io.TextIOBase):
    """A text stream that hands whole lines to `write(stream, text)` of the native core."""

    encoding = "utf-8"
    errors = "backslashreplace"
    newlines = None
    line_buffering = True
    write_through = False
    mode = "w"

    def __init__(self, write: Callable[[int, str], Any], number: int, name: str) -> None:
        super().__init__()
        self.name = name
        self._number = number
        self._emit_native = write
        self._held: dict[int, str] = {}
        self._buffer = OutputBuffer(self)

    @property
    def buffer(self) -> OutputBuffer:
        return self._buffer

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        thread = get_ident()
        held = self._held.get(thread)
        whole = text if held is None else held + text
        end = whole.rfind("\n") + 1
        rest = whole[end:]
        if len(rest) > HELD_BACK_LIMIT:
            end, rest = len(whole), ""
        self._hold(thread, held, rest)
        if end:
            self._emit(whole[:end])
        return len(text)

    def flush(self) -> None:
        """Passes on what this thread has written since its last complete line."""
        thread = get_ident()
        held = self._held.get(thread)
        if held is not None:
            self._hold(thread, held, "")
            self._emit(held)

    def flush_ended(self, alive: Any) -> None:
        """Passes on what threads that are no longer `alive` left behind."""
        for thread in list(self._held):
            if thread not in alive:
                held = self._held.get(thread)
                if held is not None:
                    self._hold(thread, held, "")
                    self._emit(held)

    def held_count(self) -> int:
        return len(self._held)

    def _hold(self, thread: int, before: str | None, rest: str) -> None:
        if rest:
            self._held[thread] = rest
            if before is None:
                pending_output.append(None)
        elif before is not None:
            self._held.pop(thread, None)
            if pending_output:
                pending_output.pop()

    def _emit(self, text: str) -> None:
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:  # lone surrogates: print must not fail because of them
                text = text.encode("utf-8", "backslashreplace").decode()
        self._emit_native(self._number, text)

    def fileno(self) -> int:
        # The process's real descriptor: for subprocess.run(stdout=sys.stdout) and the like.
        return self._number

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def reconfigure(self, **_options: Any) -> None:
        """Accepted and without effect: text goes to JavaScript as text, in no encoding."""
        self.flush()

    def detach(self) -> OutputBuffer:  # type: ignore[override]
        self.flush()
        return self._buffer

    def close(self) -> None:
        # Never closed: whoever drops a wrapper of the stream would end print for everybody.
        self.flush()

    def __repr__(self) -> str:
        return f"<rxjs_python.OutputStream name={self.name!r}>"


class OutputBuffer(io.BufferedIOBase):
    """The bytes side of an OutputStream: UTF-8, decoded as it arrives."""

    def __init__(self, stream: OutputStream) -> None:
        super().__init__()
        self._stream = stream
        self._decoders: dict[int, codecs.IncrementalDecoder] = {}

    @property
    def name(self) -> str:
        return self._stream.name

    def write(self, data: Any) -> int:
        if isinstance(data, str):
            raise TypeError("a bytes-like object is required, not 'str'")
        raw = bytes(memoryview(data).cast("B")) if not isinstance(data, bytes) else data
        thread = get_ident()
        decoder = self._decoders.pop(thread, None)
        if decoder is None:
            decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        text = decoder.decode(raw)
        if decoder.getstate()[0]:  # a character that is not complete yet
            self._decoders[thread] = decoder
        if text:
            self._stream.write(text)
        return len(raw)

    def flush(self) -> None:
        self._stream.flush()

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def detach(self) -> OutputBuffer:  # type: ignore[override]
        return self

    def close(self) -> None:
        self._stream.flush()


_streams: list[OutputStream] = []
_replaced: list[Any] = []


def install(native: Any) -> None:
    """Puts the streams in place of sys.stdout and sys.stderr, and an empty one as sys.stdin.

    Standard input belongs to Node: a handler that asks for input gets EOFError instead of waiting
    for ever on a descriptor that somebody else reads.
    """
    _replaced.extend((sys.stdin, sys.stdout, sys.stderr))  # kept: dropping one would close its file
    out = OutputStream(native.write, STDOUT, "<stdout>")
    err = OutputStream(native.write, STDERR, "<stderr>")
    _streams[:] = [out, err]
    sys.stdin = sys.__stdin__ = io.StringIO("")  # type: ignore[misc,assignment]
    sys.stdout = sys.__stdout__ = out  # type: ignore[misc,assignment]
    sys.stderr = sys.__stderr__ = err  # type: ignore[misc,assignment]


def flush_output() -> None:
    """Passes on what the calling thread, and threads that have ended, still hold back."""
    for stream in _streams:
        stream.flush()
    if pending_output:
        alive = sys._current_frames()
        for stream in _streams:
            stream.flush_ended(alive)
        # An interrupt between two steps of a write can leave the count wrong: put it right here.
        pending_output[:] = [None] * sum(stream.held_count() for stream in _streams)
