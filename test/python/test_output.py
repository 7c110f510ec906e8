"""print and sys.stdout on their way to the native core."""

import contextlib
import io
import threading
import unittest

from rxjs_python import _output
from support import FakeNative


class Streams(unittest.TestCase):
    def setUp(self) -> None:
        self.native = FakeNative()
        self.stream = _output.OutputStream(self.native.write, _output.STDOUT, "<stdout>")
        self.addCleanup(_output._streams.clear)
        _output._streams[:] = [self.stream]
        _output.pending_output.clear()

    def texts(self) -> list:
        return [text for _stream, text in self.native.written]

    def test_one_write_for_each_line(self) -> None:
        print("a", 1, None, file=self.stream)
        print(file=self.stream)
        print("two\nlines", file=self.stream)
        self.assertEqual(self.texts(), ["a 1 None\n", "\n", "two\n", "lines\n"])
        self.assertEqual(len(_output.pending_output), 0)

    def test_a_partial_line_waits_for_its_end(self) -> None:
        print("50", end="", file=self.stream)
        self.assertEqual((self.texts(), len(_output.pending_output)), ([], 1))
        print(" %\nnext", end="", file=self.stream)
        self.assertEqual(self.texts(), ["50 %\n"])
        self.stream.flush()
        self.assertEqual(self.texts(), ["50 %\n", "next"])
        self.assertEqual(len(_output.pending_output), 0)

    def test_a_partial_line_waits_for_flush_or_the_end_of_the_call(self) -> None:
        print("now", end="", flush=True, file=self.stream)
        self.assertEqual(self.texts(), ["now"])
        print("later", end="", file=self.stream)
        self.assertEqual(len(_output.pending_output), 1)
        _output.flush_output()
        self.assertEqual(self.texts(), ["now", "later"])
        self.assertEqual(len(_output.pending_output), 0)

    def test_a_very_long_line_does_not_wait(self) -> None:
        for _ in range(30):
            self.stream.write("x" * 1000)
        self.assertGreater(len(self.texts()), 2)
        self.stream.flush()
        self.assertEqual("".join(self.texts()), "x" * 30_000)

    def test_lines_of_several_threads_never_tear(self) -> None:
        barrier = threading.Barrier(4)

        def work(name: str) -> None:
            barrier.wait()
            for _ in range(200):
                print(name, name, name, file=self.stream)

        threads = [threading.Thread(target=work, args=(name * 20,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(self.texts()), 800)
        for text in self.texts():
            self.assertEqual(text, " ".join([text[:20]] * 3) + "\n")
        self.assertEqual(len(_output.pending_output), 0)

    def test_what_an_ended_thread_left_is_passed_on_and_a_living_ones_is_not(self) -> None:
        written, done = threading.Event(), threading.Event()

        def hold() -> None:
            self.stream.write("still writing")
            written.set()
            done.wait(10)

        living = threading.Thread(target=hold)
        living.start()
        written.wait(10)
        # Started second, so that it cannot get the other one's identity.
        ended = threading.Thread(target=lambda: self.stream.write("left by a thread"))
        ended.start()
        ended.join()
        _output.flush_output()
        self.assertEqual(self.texts(), ["left by a thread"])
        self.assertEqual(len(_output.pending_output), 1)
        done.set()
        living.join()
        _output.flush_output()
        self.assertEqual(self.texts(), ["left by a thread", "still writing"])

    def test_lone_surrogates_do_not_fail(self) -> None:
        print("a\ud800b", file=self.stream)
        self.assertEqual(self.texts(), ["a\\ud800b\n"])

    def test_bytes_in_pieces(self) -> None:
        data = "grüße 😀\n".encode()
        written = sum(self.stream.buffer.write(data[i : i + 1]) for i in range(len(data)))
        self.assertEqual((written, self.texts()), (len(data), ["grüße 😀\n"]))
        self.stream.buffer.write(memoryview(b"\xff\n"))
        self.stream.buffer.write(bytearray(b"z\n"))
        self.assertEqual(self.texts()[1:], ["\\xff\n", "z\n"])
        self.assertRaises(TypeError, self.stream.buffer.write, "text")
        self.assertRaises(TypeError, self.stream.write, b"bytes")

    def test_wrappers_come_and_go(self) -> None:
        wrapper = io.TextIOWrapper(self.stream.buffer, encoding="utf-8", line_buffering=True)
        print("wrapped", file=wrapper)
        wrapper.close()
        io.TextIOWrapper(self.stream.detach(), encoding="utf-8").close()
        self.stream.close()
        print("still here", file=self.stream)
        self.assertEqual(self.texts(), ["wrapped\n", "still here\n"])
        self.assertFalse(self.stream.closed)

    def test_the_rest_of_a_text_stream(self) -> None:
        self.stream.reconfigure(line_buffering=True, encoding="utf-8", errors="replace")
        self.stream.writelines(["a\n", "b\n"])
        self.assertEqual(self.texts(), ["a\n", "b\n"])
        self.assertEqual((self.stream.encoding, self.stream.fileno()), ("utf-8", 1))
        self.assertFalse(self.stream.isatty() or self.stream.readable())
        self.assertTrue(self.stream.writable())
        self.assertEqual(self.stream.buffer.fileno(), 1)
        self.assertIn("<stdout>", repr(self.stream))

    def test_redirect_stdout(self) -> None:
        with contextlib.redirect_stdout(self.stream):
            print("to the stream")
            with contextlib.redirect_stdout(io.StringIO()) as other:
                print("to the other one")
        self.assertEqual(self.texts(), ["to the stream\n"])
        self.assertEqual(other.getvalue(), "to the other one\n")
