"""Progress of a job: a bar of tqdm, or calls of the caller's function."""
from __future__ import annotations

import ctypes
import importlib
import sys
from typing import Any, Callable, Optional, Union

from . import _abi
from ._job import Cancel, Emit, Event, run
from .errors import check

#: `progress` of a job. "auto": a bar where tqdm is installed and somebody sees it (a terminal or a notebook).
#: True: a bar; False: none. A function: called with stage, done and total; False from it cancels the job.
ProgressLike = Union[str, bool, Callable[[str, int, int], object]]


class Progress:
    """Takes a job's reports, on the caller's thread; `close` ends the bar."""

    def __init__(self, wanted: ProgressLike, title: str) -> None:
        self._call: Optional[Callable[[str, int, int], object]] = wanted if callable(wanted) else None
        if self._call is None and wanted not in ("auto", True, False):
            raise ValueError(f'progress is {wanted!r}, known are "auto", True, False and a function')
        self._title = title
        self._tqdm: Any = None
        self._bar: Any = None
        self._stage = ""
        if wanted is True or (wanted == "auto" and _seen()):
            try:
                tqdm = importlib.import_module("tqdm.auto").tqdm
            except ImportError:
                if wanted is True:
                    raise
            else:
                self._tqdm = tqdm

    def __call__(self, stage: str, done: int, total: int) -> object:
        if self._call is not None:
            return self._call(stage, done, total)
        if self._tqdm is None:
            return None
        if self._bar is None or stage != self._stage:
            self.close()
            self._bar, self._stage = self._tqdm(total=total, desc=f"{self._title}: {stage}"), stage
        self._bar.total = total
        self._bar.update(done - self._bar.n)
        return None

    def close(self) -> None:
        """Leaves the bar as it stands."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _seen() -> bool:
    """Whether standard error is a terminal, or this is a notebook's kernel."""
    return "ipykernel" in sys.modules or (sys.stderr is not None and sys.stderr.isatty())


def run_job(options: Any, call: Callable[[Any], int], title: str, progress: ProgressLike, cancel: Optional[Cancel]) -> None:
    """Makes a call whose options have `progress` and `cancel`."""
    reports, token = Progress(progress, title), cancel or Cancel()

    def handle(event: Event) -> object:
        return reports(*event)

    def work(emit: Emit) -> None:
        options.progress = _abi.octavo_progress_fn(
            lambda stage, done, total, user_data: emit((stage.decode(errors="replace"), done, total)))
        options.cancel = token._handle.address
        check(call(ctypes.byref(options)))

    try:
        run(work, token, handle)
    finally:
        reports.close()
