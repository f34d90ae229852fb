"""Runs a call of the C library so that Ctrl-C ends it.

Python's handler of SIGINT runs on the main thread between two bytecodes, and so never during a call of ctypes. A call that
the main thread makes is therefore made by a thread beside it, while the main thread waits for what that thread reports.
The wait can be interrupted: whatever is raised there requests the job's cancellation, waits until the job has ended and
goes on to the caller. Callbacks run on the thread of the caller, too. Every other thread makes its calls itself.
"""
from __future__ import annotations

import ctypes
import queue
import signal
import threading
from contextlib import contextmanager
from typing import Any, Callable, Iterator, Optional, TypeVar

from ._handle import Handle, Owned
from ._library import lib
from .errors import check

T = TypeVar("T")
Event = tuple[Any, ...]
#: What a job's C callbacks call: it answers 0, or 1 when the job is to end.
Emit = Callable[[Event], int]
EXPECTS_NOTHING: Callable[[Event], object] = lambda event: None


class Cancel(Handle):
    """Asks the jobs that were given it to stop, from any thread: `cancel.request()`."""

    def __init__(self) -> None:
        handle = ctypes.c_void_p()
        check(lib.octavo_cancel_create(ctypes.byref(handle)))
        self._owned = Owned.of(handle, lib.octavo_cancel_release)

    def request(self) -> None:
        """Stops the jobs, soon: they look before every layer and every part of a calibration."""
        lib.octavo_cancel_request(self._handle)

    def reset(self) -> None:
        """Takes the request back: jobs that begin from now on run."""
        lib.octavo_cancel_reset(self._handle)


class OnThisThread(threading.local):
    """Whether jobs of this thread must run on it, because of what the library keeps for it."""

    wanted = False


on_this_thread = OnThisThread()


class Failure:
    """The first exception that a callback raised; ctypes itself would print it and go on."""

    def __init__(self) -> None:
        self.raised: Optional[BaseException] = None

    def guard(self, call: Callable[[], object]) -> int:
        """0 when the callback wants to go on: it returned anything but False and raised nothing."""
        if self.raised is not None:
            return 1
        try:
            return 1 if call() is False else 0
        except BaseException as error:
            self.raised = error
            return 1


class _Used(threading.local):
    """What this thread's calls look at (octavo_cancel_use)."""

    cancel: Optional[Cancel] = None


_used = _Used()


@contextmanager
def _looking_at(cancel: Cancel) -> Iterator[None]:
    """This thread's calls end when `cancel` is requested, also those whose options have none."""
    before, _used.cancel = _used.cancel, cancel
    check(lib.octavo_cancel_use(cancel._handle))
    try:
        yield
    finally:
        _used.cancel = before
        check(lib.octavo_cancel_use(before._handle if before is not None else None))


def run(job: Callable[[Emit], T], cancel: Cancel, handler: Callable[[Event], object] = EXPECTS_NOTHING) -> T:
    """`job` makes the C call, with the function for its callbacks; `handler` gets their events on this thread."""

    def work(emit: Emit) -> T:
        with _looking_at(cancel):
            return job(emit)

    main = threading.current_thread() is threading.main_thread()
    if main and not on_this_thread.wanted:
        return _run_beside(work, cancel, handler)
    failure = Failure()
    try:
        if main:
            with _interrupts_request(cancel):
                result = work(lambda event: failure.guard(lambda: handler(event)))
        else:
            result = work(lambda event: failure.guard(lambda: handler(event)))
    except Exception:
        if failure.raised is None:
            raise
    if failure.raised is not None:
        raise failure.raised
    return result


@contextmanager
def _interrupts_request(cancel: Cancel) -> Iterator[None]:
    """For a call that the main thread makes itself. Python runs the handler of SIGINT at the beginning of the call's next
    callback, where ctypes would drop what it raises; so it only cancels, and this raises afterwards."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    interrupted = threading.Event()

    def handle(number: int, frame: object) -> None:
        interrupted.set()
        cancel.request()

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if interrupted.is_set():
            raise KeyboardInterrupt


def _run_beside(work: Callable[[Emit], T], cancel: Cancel, handler: Callable[[Event], object]) -> T:
    events: queue.SimpleQueue[Optional[Event]] = queue.SimpleQueue()
    answers: queue.SimpleQueue[int] = queue.SimpleQueue()
    given_up = threading.Event()
    outcome: list[T] = []
    failed: list[BaseException] = []

    def emit(event: Event) -> int:
        if given_up.is_set():
            return 1
        events.put(event)
        return answers.get()

    def body() -> None:
        try:
            if not given_up.is_set():
                outcome.append(work(emit))
        except BaseException as error:
            failed.append(error)
        finally:
            events.put(None)

    thread = threading.Thread(target=body, name="octavo job")
    started = False
    try:
        thread.start()
        started = True
        while (event := events.get()) is not None:
            answers.put(1 if handler(event) is False else 0)
    except BaseException:
        given_up.set()
        cancel.request()
        answers.put(1)  # it may be waiting for one
        while started and events.get() is not None:
            answers.put(1)
        raise
    if failed:
        raise failed[0]
    return outcome[0]
