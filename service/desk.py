"""Where requests wait and become batches: those that come together and are asked alike are described together.

Nothing of it runs on the event loop. A request that is no longer wanted leaves its place at once; one that waits for a
place finds none and is told so.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from service.asked import Asked
from service.config import DeskConfig
from service.errors import Busy, CannotDescribe, TimedOut
from service.hands import Hands, Outcome

T = TypeVar("T")

_AGAIN_S = 2
"""After so many seconds a client that found no place may ask again, before it is known how fast requests are done."""


@dataclass(eq=False)
class Ticket:
    """A request at the desk. `future` gets its outcome, or what went wrong with the whole batch."""

    asked: Asked
    limit_s: float
    arrived: float = field(default_factory=time.monotonic)
    future: Future[Outcome] = field(default_factory=Future)
    pieces: Callable[[str], None] | None = None
    """Hears the text as it is written; such a request is described alone."""
    gone: threading.Event = field(default_factory=threading.Event)

    async def answer(self) -> Outcome:
        """The outcome. Where the waiting task is cancelled, the place is freed.

        Raises TimedOut, Busy and what describing raises.
        """
        try:
            async with asyncio.timeout(self.left_s()):
                return await asyncio.wrap_future(self.future)
        except TimeoutError:
            raise _timed_out(self.limit_s) from None
        finally:
            if not self.future.done():
                self.cancel()

    def cancel(self) -> None:
        """Frees its place. What is being written for it already is not kept."""
        self.gone.set()
        self.future.cancel()

    def left_s(self) -> float:
        """Seconds until its time is over."""
        return max(0.0, self.arrived + self.limit_s - time.monotonic())


@dataclass(frozen=True)
class DeskState:
    """How full the desk is."""

    waiting: int
    waiting_bytes: int
    under_way: int
    open: bool


class Desk:
    """Gathers requests into batches and gives them to `hands`. `batches` hears the size of each."""

    def __init__(self, config: DeskConfig, hands: Hands, batches: Callable[[int], None] = lambda _: None) -> None:
        self._config = config
        self._hands = hands
        self._batches = batches
        self._waiting: list[Ticket] = []
        self._changed = threading.Condition()
        self._free = hands.count
        self._under_way = 0
        self._calls = 0
        self._open = False
        self._gatherer: threading.Thread | None = None
        self._pace_s = 0.0

    def start(self) -> None:
        """Opens the desk."""
        self._open = True
        self._gatherer = threading.Thread(target=self._gather, name="desk", daemon=True)
        self._gatherer.start()

    def close(self) -> None:
        """Takes no more, and returns once all that was taken is done."""
        with self._changed:
            self._open = False
            self._changed.notify_all()
        if self._gatherer is not None:
            self._gatherer.join()
        with self._changed:
            self._changed.wait_for(lambda: self._under_way == 0)
        self._hands.close()

    @property
    def state(self) -> DeskState:
        with self._changed:
            held = sum(ticket.asked.nbytes for ticket in self._waiting)
            return DeskState(len(self._waiting), held, self._under_way, self._open)

    def check_room(self, nbytes: int = 0) -> None:
        """Raises Busy where a request with so many bytes of images would find no place."""
        state, config = self.state, self._config
        if not state.open:
            raise Busy("the service is starting or ending", _AGAIN_S)
        if state.waiting >= config.max_waiting:
            raise Busy(f"{state.waiting} requests are waiting already (desk.max_waiting)", self._again_s(state.waiting))
        if state.waiting and state.waiting_bytes + nbytes > config.waiting_mib << 20:
            raise Busy(
                f"requests with {state.waiting_bytes >> 20} MiB of images are waiting already (desk.waiting_mib)",
                self._again_s(state.waiting),
            )

    def submit(self, asked: Asked, pieces: Callable[[str], None] | None = None) -> Ticket:
        """Gives a request a place. Raises Busy where there is none."""
        with self._changed:
            self.check_room(asked.nbytes)
            ticket = Ticket(asked, self._config.time_limit_s, pieces=pieces)
            ticket.future.add_done_callback(lambda _: self._leave(ticket))
            self._waiting.append(ticket)
            self._changed.notify_all()
        return ticket

    async def stream(self, asked: Asked) -> AsyncIterator[str | Outcome]:
        """Yields the text as it is written and, last, the outcome. Closing the iterator stops the model.

        Raises Busy, TimedOut and what describing raises.
        """
        loop, coming = asyncio.get_running_loop(), asyncio.Queue[str | None]()

        def put(piece: str | None) -> None:
            with suppress(RuntimeError):  # of a loop that is closed: nobody listens any more
                loop.call_soon_threadsafe(coming.put_nowait, piece)

        ticket = self.submit(asked, put)
        ticket.future.add_done_callback(lambda _: put(None))
        try:
            # No asyncio.timeout here: it would cancel whichever task happens to wait for the next piece.
            while (piece := await asyncio.wait_for(coming.get(), ticket.left_s())) is not None:
                yield piece
            yield ticket.future.result()
        except TimeoutError:
            raise _timed_out(ticket.limit_s) from None
        finally:
            ticket.cancel()

    async def call(self, work: Callable[[], T]) -> T:
        """Does some other work with the models and indexes of this process, beside the batches, one at a time.

        Raises Busy where too much of it waits, TimedOut, and what the work raises.
        """
        with self._changed:
            self.check_room()
            if self._calls >= self._config.max_waiting:
                raise Busy(f"{self._calls} searches are waiting already (desk.max_waiting)", _AGAIN_S)
            self._calls += 1
        future = self._hands.call(work)
        future.add_done_callback(self._called)
        try:
            async with asyncio.timeout(self._config.time_limit_s):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise _timed_out(self._config.time_limit_s) from None

    def _called(self, _: Future[Any]) -> None:
        with self._changed:
            self._calls -= 1

    def _gather(self) -> None:
        while (batch := self._next()) is not None:
            self._batches(len(batch))
            began = time.monotonic()
            try:
                begun = self._begun(batch)
            except RuntimeError as error:  # no thread can be begun; the next batch may find one
                begun = Future()
                begun.set_exception(CannotDescribe(f"it cannot be begun: {error}", _AGAIN_S))
            begun.add_done_callback(partial(self._done, batch, began))

    def _begun(self, batch: Sequence[Ticket]) -> Future[list[Outcome]]:
        first = batch[0]
        tell = first.pieces
        if tell is None:
            return self._hands.describe([ticket.asked for ticket in batch])

        def piece(text: str) -> bool:
            tell(text)
            return not first.gone.is_set()

        return self._hands.stream(first.asked, piece)

    def _next(self) -> list[Ticket] | None:
        """The next batch, once somebody is there to describe it; None once the desk is closed and empty."""
        with self._changed:
            while True:
                if not self._waiting and not self._open:
                    return None
                if not self._waiting or not self._free:
                    self._changed.wait()
                    continue
                first = self._waiting[0]
                together = self._together(first)
                left_s = first.arrived + self._config.window_ms / 1000 - time.monotonic()
                if left_s > 0 and self._open and len(together) < self._most(first):
                    self._changed.wait(left_s)
                    continue
                for ticket in together:
                    self._waiting.remove(ticket)
                self._free -= 1
                self._under_way += len(together)
                return together

    def _together(self, first: Ticket) -> list[Ticket]:
        if first.pieces is not None:
            return [first]
        alike = [t for t in self._waiting if t.pieces is None and t.asked.like == first.asked.like]
        return alike[: self._config.max_batch]

    def _most(self, first: Ticket) -> int:
        return self._config.max_batch if first.pieces is None else 1

    def _done(self, batch: Sequence[Ticket], began: float, done: Future[list[Outcome]]) -> None:
        """Hands the outcomes over, or what went wrong with all of them."""
        error = done.exception()
        outcomes = {} if error else {outcome.id: outcome for outcome in done.result()}
        with self._changed:
            self._free += 1
            self._under_way -= len(batch)
            self._pace_s = (time.monotonic() - began) / len(batch)
            self._changed.notify_all()
        for ticket in batch:
            with suppress(InvalidStateError):  # it has left
                outcome = outcomes.get(ticket.asked.id)
                if outcome is not None:
                    ticket.future.set_result(outcome)
                else:
                    ticket.future.set_exception(error or CannotDescribe("describing stopped before this request"))

    def _leave(self, ticket: Ticket) -> None:
        with self._changed:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def _again_s(self, waiting: int) -> int:
        """After how many seconds half of those that wait will be gone."""
        return min(60, max(_AGAIN_S, round(self._pace_s * waiting / 2)))


def _timed_out(limit_s: float) -> TimedOut:
    """A request was not answered in the time allowed."""
    return TimedOut(f"not answered within {limit_s:g} s (desk.time_limit_s)", _AGAIN_S)
