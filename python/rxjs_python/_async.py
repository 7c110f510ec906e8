"""Running `async def` handlers: an event loop for each thread that calls, kept between calls.

A loop stays, so that clients, sessions and background tasks that a handler made live on from call
to call. asyncio is imported when the first such handler runs, never before.
"""

from __future__ import annotations

from threading import Lock, get_ident

from ._errors import mark_item

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Task
    from collections.abc import AsyncIterator, Awaitable
    from typing import Any

    from ._tasks import Tasks

# Seconds that tasks get to end themselves after they were cancelled, before they are given up.
CANCEL_GRACE = 1.0


class Loops:
    """The event loops of one Host, one for each thread that has called an async handler."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._by_thread: dict[int, AbstractEventLoop] = {}
        self._tasks: dict[int, Tasks] = {}

    def run(self, work: Awaitable[Any]) -> Any:
        """Runs `work` to its end on the calling thread's loop.

        Where it raises, or the call is interrupted, the tasks that it started are cancelled; tasks
        of earlier calls stay.
        """
        import asyncio

        if asyncio._get_running_loop() is not None:
            return _run_beside(work)
        loop = self._loop()
        before = asyncio.all_tasks(loop)
        task = asyncio.ensure_future(work, loop=loop)
        try:
            return loop.run_until_complete(task)
        except BaseException:
            self._stop(loop, asyncio.all_tasks(loop) - before)
            raise

    def tasks(self) -> Tasks:
        """The batches in flight on the calling thread."""
        thread = get_ident()
        tasks = self._tasks.get(thread)
        loop = self._loop()
        if tasks is None or tasks.loop is not loop:
            from ._tasks import Tasks

            tasks = self._tasks[thread] = Tasks(loop)
        return tasks

    def close(self) -> None:
        """Cancels what still runs in the background and closes the loops."""
        with self._lock:
            loops = list(self._by_thread.values())
            self._by_thread.clear()
            self._tasks.clear()
        if not loops:
            return
        import asyncio

        for loop in loops:
            if loop.is_running():
                continue  # its thread is stuck in a call; the loop goes when the thread does
            try:
                _cancel(loop, asyncio.all_tasks(loop))
                loop.run_until_complete(loop.shutdown_asyncgens())
            except Exception:
                # Closing goes on whatever a background task of the handler does on its way out.
                pass
            finally:
                loop.close()

    def _loop(self) -> AbstractEventLoop:
        import asyncio

        thread = get_ident()
        loop = self._by_thread.get(thread)
        if loop is None or loop.is_closed():
            loop = asyncio.new_event_loop()
            with self._lock:
                self._by_thread[thread] = loop
        return loop

    def _stop(self, loop: AbstractEventLoop, tasks: set[Task[Any]]) -> None:
        if not tasks:
            return
        try:
            stuck = _cancel(loop, tasks)
        except BaseException:
            # A second interrupt: the first exception is on its way, only the loop is lost.
            stuck = tasks
        if stuck:
            with self._lock:
                self._by_thread.pop(get_ident(), None)
            if not loop.is_running():
                loop.close()


def _run_beside(work: Awaitable[Any]) -> Any:
    """Runs `work` while this thread's loop stands still in the middle of a step.

    That is so when a coroutine waits in host.call (rather than host.call_async) for a callback that
    calls an async handler of this interpreter; one loop cannot run inside another.
    """
    from concurrent.futures import ThreadPoolExecutor

    async def main() -> Any:
        return await work

    def run() -> Any:
        import asyncio

        return asyncio.run(main())

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(run).result()


def _cancel(loop: AbstractEventLoop, tasks: set[Task[Any]]) -> set[Task[Any]]:
    """Cancels `tasks` and lets them finish; returns those that did not within the grace."""
    import asyncio

    if not tasks:
        return set()
    for task in tasks:
        # What becomes of a cancelled task is nobody's business any more: no warnings about it.
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        task.cancel()
    done, stuck = loop.run_until_complete(asyncio.wait(tasks, timeout=CANCEL_GRACE))
    for task in done:
        if not task.cancelled():
            task.exception()
    return stuck


async def collect(results: AsyncIterator[Any], limit: int | None) -> list[Any]:
    """Everything an async generator yields, but never more than `limit` + 1."""
    collected: list[Any] = []
    try:
        async for result in results:
            collected.append(result)
            if limit is not None and len(collected) > limit:
                break
    except BaseException as error:
        mark_item(error, len(collected))
        raise
    finally:
        close = getattr(results, "aclose", None)
        if close is not None:
            await close()
    return collected


# For coroutines that a handler returns without being an `async def` itself (a decorated one): the
# Host that it belongs to is not known where they are found. Closed with the last Host.
shared_loops = Loops()
