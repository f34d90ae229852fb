"""An answer as it comes."""
from __future__ import annotations

import queue
import threading
from types import TracebackType
from typing import Any, Callable, Iterator, Optional, Union

from ._job import Cancel, Failure, run
from .generation import Generation, Token
from .settings import Callbacks, LogitsHook, callbacks, handler


class Stream:
    """An answer as it comes: iterating gives the pieces of its text.

    The answer is made by a thread of its own, which does not wait for the reader; `on_logits` runs there, too. `close`, leaving a `with` block, or
    dropping the stream ends the generation.
    """

    _cancel: Optional[Cancel] = None

    def __init__(self, work: Callable[[Callbacks], Generation], on_logits: Optional[LogitsHook], cancel: Cancel) -> None:
        self._pieces: queue.SimpleQueue[Optional[Token]] = queue.SimpleQueue()
        self._outcome: list[Generation] = []
        self._failed: list[BaseException] = []
        self._cancel = cancel
        self._ended = False
        pieces, outcome, failed = self._pieces, self._outcome, self._failed

        # The thread holds none of self, so that a stream that nobody reads any more ends it.
        hook = Failure()

        def on_token(token: Token) -> int:
            pieces.put(token)
            return 0

        def answer_logits(*values: Any) -> int:
            return hook.guard(lambda: on_logits(*values) if on_logits is not None else None)

        def body() -> None:
            try:
                outcome.append(work((on_token, answer_logits if on_logits is not None else None)))
                if hook.raised is not None:
                    raise hook.raised
            except BaseException as error:
                failed.append(error)
            finally:
                pieces.put(None)

        self._thread = threading.Thread(target=body, name="octavo stream")
        self._thread.start()

    def tokens(self) -> Iterator[Token]:
        """The same token by token, with their ids."""
        while not self._ended:
            try:
                token = self._pieces.get()
            except BaseException:  # Ctrl-C while waiting
                self.close()
                raise
            if token is None:
                self._ended = True
                if self._failed:
                    raise self._failed[0]
                return
            yield token

    def __iter__(self) -> Iterator[str]:
        return (token.text for token in self.tokens() if token.text)

    @property
    def result(self) -> Generation:
        """The whole answer, once it has been read to its end; reads what is left."""
        for _ in self.tokens():
            pass
        if self._failed:
            raise self._failed[0]
        return self._outcome[0]

    def close(self) -> None:
        """Ends the generation and waits for that; `result` then holds what there was."""
        if self._cancel is not None:
            self._cancel.request()
        self._thread.join()
        self._ended = True

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], value: Optional[BaseException],
                 traceback: Optional[TracebackType]) -> None:
        self.close()

    def __del__(self) -> None:
        if self._cancel is not None:
            self._cancel.request()


def answer(work: Callable[[Callbacks], Generation], stream: bool, on_token: Optional[Callable[[Token], object]],
           on_logits: Optional[LogitsHook], cancel: Cancel) -> Union[Generation, Stream]:
    """Makes an answer: here, or as a stream. `work` makes the C call with the callbacks that it is given."""
    if stream:
        return Stream(work, on_logits, cancel)
    return run(lambda emit: work(callbacks(emit, on_token, on_logits)), cancel, handler)
