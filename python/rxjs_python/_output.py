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

# The texts that are held back, by stream and thread. The native core looks at its size at the end
# of a call and calls flush_output() only where it is not 0. Always the same dict object, and each
# change to it is a single step: threads may run in parallel, and an interrupt come between steps.
pending_output: dict[tuple[OutputStream, int], str] = {}


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
        self._buffer = OutputBuffer(self)

    @property
    def buffer(self) -> OutputBuffer:
        return self._buffer

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        key = (self, get_ident())
        held = pending_output.get(key)
        whole = text if held is None else held + text
        end = whole.rfind("\n") + 1
        rest = whole[end:]
        if len(rest) > HELD_BACK_LIMIT:
            end, rest = len(whole), ""
        if rest:
            pending_output[key] = rest
        elif held is not None:
            pending_output.pop(key, None)
        if end:
            self._emit(whole[:end])
        return len(text)

    def flush(self) -> None:
        """Passes on what this thread has written since its last complete line."""
        self.flush_thread(get_ident())

    def flush_thread(self, thread: int) -> None:
        """The same for what another thread, which has ended, left behind."""
        held = pending_output.pop((self, thread), None)
        if held is not None:
            self._emit(held)

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
        for stream, thread in list(pending_output):
            if thread not in alive:
                stream.flush_thread(thread)
