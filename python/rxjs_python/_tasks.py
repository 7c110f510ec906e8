"""Batches of `async def` handlers as tasks: many in flight on one event loop.

The native core begins a batch with begin(), and while there are any, lets the thread's loop run
until something is to be done: a batch has ended, or a call has come (a descriptor is readable).
Calls of other handlers run in between, while no loop runs.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar, copy_context

from ._errors import Interrupted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Task
    from collections.abc import Awaitable, Callable
    from typing import Any

# Seconds that a batch's own tasks get to end themselves when it has failed.
CANCEL_GRACE = 1.0

# The ticket of the batch that the code which runs belongs to.
current: ContextVar[int] = ContextVar("rxjs_python_batch", default=0)


class Tasks:
    """The batches in flight on one thread."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.loop = loop
        self._batches: dict[int, Task[Any]] = {}
        self._started: dict[int, set[Task[Any]]] = {}
        self._asked: set[int] = set()
        self._ended: list[tuple[int, bool, Any]] = []
        self._descriptor = -1
        loop.set_task_factory(self._make_task)

    def begin(self, ticket: int, start: Callable[[Any], Awaitable[Any]], batch: Any) -> None:
        work = start(batch)
        context = copy_context()
        context.run(current.set, ticket)
        self._started[ticket] = set()
        whole = self._whole(ticket, work)
        task = context.run(asyncio.ensure_future, whole, loop=self.loop)
        self._batches[ticket] = task
        task.add_done_callback(lambda task: self._end(ticket, task))

    def cancel(self, ticket: int) -> None:
        task = self._batches.get(ticket)
        if task is not None:
            self._asked.add(ticket)
            task.cancel()

    def run(self, descriptor: int) -> list[tuple[int, bool, Any]]:
        """Runs the loop until a batch has ended or `descriptor` is readable.

        Returns what has ended: ticket, whether it has a result, and the result or the exception.
        """
        loop = self.loop
        if descriptor != self._descriptor:
            loop.add_reader(descriptor, loop.stop)
            self._descriptor = descriptor
        if not self._ended:
            try:
                loop.run_forever()
            except BaseException:
                # A task that was interrupted or exits; its batch hears of it like of any exception.
                pass
        ended, self._ended = self._ended, []
        return ended

    async def _whole(self, ticket: int, work: Awaitable[Any]) -> Any:
        try:
            return await work
        except BaseException:
            mine = asyncio.current_task()
            others = {task for task in self._started[ticket] if task is not mine}
            for task in others:
                task.cancel()
            if others:
                done, _stuck = await asyncio.wait(others, timeout=CANCEL_GRACE)
                for task in done:
                    if not task.cancelled():
                        task.exception()
            raise

    def _end(self, ticket: int, task: Task[Any]) -> None:
        self._batches.pop(ticket, None)
        self._started.pop(ticket, None)
        asked = ticket in self._asked
        self._asked.discard(ticket)
        if task.cancelled():
            error: BaseException = Interrupted("the call was asked to stop")
            if not asked:
                error = asyncio.CancelledError("the handler's task was cancelled")
            self._ended.append((ticket, False, error))
        elif task.exception() is not None:
            self._ended.append((ticket, False, task.exception()))
        else:
            self._ended.append((ticket, True, task.result()))
        self.loop.stop()

    def _make_task(self, loop: AbstractEventLoop, work: Any, **options: Any) -> Task[Any]:
        task: Task[Any] = asyncio.Task(work, loop=loop, **options)
        started = self._started.get(current.get())
        if started is not None:
            started.add(task)
            task.add_done_callback(started.discard)
        return task
