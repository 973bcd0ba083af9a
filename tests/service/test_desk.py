"""How requests become batches, with hands that do as the test says."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import pytest

from batch.types import Described
from rag.config import resolve
from rag.types import Request
from service.asked import Asked, Upload
from service.config import DeskConfig
from service.desk import Desk, Ticket
from service.errors import Busy, CannotDescribe, TimedOut
from service.hands import Outcome

DEFAULT, OTHER = resolve(), resolve(assignments=["retrieval.k=2"])
CONFIG: dict[str, Any] = {
    "window_ms": 30, "max_batch": 4, "max_waiting": 6, "waiting_mib": 1, "time_limit_s": 20, "processes": 0,
}  # fmt: skip


class HeldHands:
    """Describes nothing before it is told to; `count` batches at once."""

    def __init__(self, count: int = 1) -> None:
        self.count = count
        self.begun: list[tuple[list[str], Future[list[Outcome]]]] = []
        self.pieces: Callable[[str], bool] | None = None
        self.closed = self.idle = False
        self._changed = threading.Condition()

    def load(self, asked: Asked) -> None:
        pass

    def describe(self, batch: Sequence[Asked]) -> Future[list[Outcome]]:
        with self._changed:
            future: Future[list[Outcome]] = Future()
            self.begun.append(([asked.id for asked in batch], future))
            self._changed.notify_all()
            idle = self.idle
        if idle:
            future.set_result([])
        return future

    def stream(self, asked: Asked, piece: Callable[[str], bool]) -> Future[list[Outcome]]:
        self.pieces = piece
        return self.describe([asked])

    def call(self, work: Callable[[], Any]) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(work())
        return future

    def close(self) -> None:
        self.closed = True

    def wait_for(self, batches: int) -> list[list[str]]:
        """The ids of the batches begun, once there are so many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.begun) >= batches, 10)
            return [ids for ids, _ in self.begun]

    def let_go(self) -> None:
        """From now on nothing is described, and what was begun is not."""
        with self._changed:
            self.idle = True
            begun = list(self.begun)
        for _, future in begun:
            if not future.done():
                future.set_result([])

    def finish(self, batch: int) -> None:
        """Describes a batch."""
        ids, future = self.begun[batch]
        future.set_result([Described(id_, {"id": id_}) for id_ in ids])


def asked(id_: str, settings: Any = DEFAULT, size: int = 1, schema: str | None = None) -> Asked:
    request = Request(id_, ("a.png",), "extract" if schema else "caption", schema=schema)
    return Asked(request, (Upload("a.png", b"x" * size),), settings)


def outcome(ticket: Ticket) -> Outcome:
    return asyncio.run(ticket.answer())


@contextmanager
def desk_with(hands: HeldHands, **changed: Any) -> Iterator[Desk]:
    desk = Desk(DeskConfig(**CONFIG | changed), hands)
    desk.start()
    try:
        yield desk
    finally:
        hands.let_go()
        desk.close()
        assert hands.closed


def test_requests_that_come_together_and_are_asked_alike_are_one_batch() -> None:
    hands = HeldHands(count=3)
    with desk_with(hands) as desk:
        tickets = [desk.submit(asked(id_)) for id_ in "abc"]
        other = desk.submit(asked("o", OTHER))
        assert hands.wait_for(2) == [["a", "b", "c"], ["o"]]
        hands.finish(0)
        hands.finish(1)
        assert [outcome(ticket).id for ticket in [*tickets, other]] == ["a", "b", "c", "o"]


def test_documents_with_other_schemas_are_other_batches() -> None:
    hands = HeldHands(count=3)
    with desk_with(hands) as desk:
        for id_, schema in (("a", "{}"), ("b", '{"type":"object"}'), ("c", "{}")):
            desk.submit(asked(id_, schema=schema))
        assert hands.wait_for(2) == [["a", "c"], ["b"]]


def test_a_full_batch_does_not_wait_for_the_window() -> None:
    hands = HeldHands()
    with desk_with(hands, window_ms=1000, max_batch=2) as desk:
        began = time.monotonic()
        desk.submit(asked("a"))
        desk.submit(asked("b"))
        hands.wait_for(1)
        assert time.monotonic() - began < 0.9


def test_what_comes_while_all_hands_are_full_is_the_next_batch() -> None:
    hands = HeldHands()
    with desk_with(hands, window_ms=0) as desk:
        desk.submit(asked("a"))
        hands.wait_for(1)
        for id_ in "bcdef":
            desk.submit(asked(id_))
        assert desk.state.waiting == 5
        hands.finish(0)
        assert hands.wait_for(2)[1] == ["b", "c", "d", "e"]


def test_a_full_desk_is_busy_and_says_when_to_ask_again() -> None:
    hands = HeldHands()
    with desk_with(hands, window_ms=0) as desk:
        desk.submit(asked("first"))
        hands.wait_for(1)
        for number in range(6):
            desk.submit(asked(str(number)))
        with pytest.raises(Busy, match="max_waiting") as busy:
            desk.submit(asked("one too many"))
        assert busy.value.retry_after_s is not None
        assert busy.value.retry_after_s >= 1


def test_uploads_that_wait_are_bounded_in_bytes() -> None:
    hands = HeldHands()
    with desk_with(hands, window_ms=0) as desk:
        desk.submit(asked("first"))
        hands.wait_for(1)
        desk.submit(asked("large", size=700_000))
        with pytest.raises(Busy, match="waiting_mib"):
            desk.submit(asked("larger", size=700_000))


def test_who_leaves_frees_its_place_and_is_not_described() -> None:
    hands = HeldHands()
    with desk_with(hands, window_ms=0) as desk:
        desk.submit(asked("a"))
        hands.wait_for(1)
        leaves, stays = desk.submit(asked("leaves")), desk.submit(asked("stays"))
        leaves.cancel()
        assert desk.state.waiting == 1
        hands.finish(0)
        assert hands.wait_for(2)[1] == ["stays"]
        hands.finish(1)
        assert outcome(stays).id == "stays"


def test_a_task_that_is_cancelled_frees_its_place() -> None:
    hands = HeldHands()
    with desk_with(hands, window_ms=0) as desk:
        desk.submit(asked("a"))
        hands.wait_for(1)

        async def leave() -> None:
            waiting = asyncio.ensure_future(desk.submit(asked("b")).answer())
            await asyncio.sleep(0.05)
            assert desk.state.waiting == 1
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

        asyncio.run(leave())
        assert desk.state.waiting == 0


def test_time_is_limited_and_the_place_is_free_then(monkeypatch: pytest.MonkeyPatch) -> None:
    hands = HeldHands()
    monkeypatch.setattr(hands, "call", lambda _: Future())
    with desk_with(hands, window_ms=0, time_limit_s=0.1) as desk:
        desk.submit(asked("a"))
        hands.wait_for(1)
        with pytest.raises(TimedOut):
            asyncio.run(desk.submit(asked("b")).answer())
        with pytest.raises(TimedOut):
            asyncio.run(desk.call(list))
        assert desk.state.waiting == 0


def test_what_is_wrong_with_a_batch_reaches_each_of_its_requests_and_the_desk_goes_on() -> None:
    hands = HeldHands()
    with desk_with(hands) as desk:
        tickets = [desk.submit(asked(id_)) for id_ in "ab"]
        hands.wait_for(1)
        hands.begun[0][1].set_exception(CannotDescribe("the model is gone"))
        for ticket in tickets:
            with pytest.raises(CannotDescribe, match="the model is gone"):
                outcome(ticket)
        after = desk.submit(asked("c"))
        hands.wait_for(2)
        hands.finish(1)
        assert outcome(after).id == "c"


def test_a_machine_without_a_thread_to_spare_fails_a_batch_and_not_the_desk(monkeypatch: pytest.MonkeyPatch) -> None:
    hands = HeldHands()

    def no_thread(_: Sequence[Asked]) -> Future[list[Outcome]]:
        raise RuntimeError("can't start new thread")

    with desk_with(hands) as desk:
        with monkeypatch.context() as patched:
            patched.setattr(hands, "describe", no_thread)
            with pytest.raises(CannotDescribe, match="cannot be begun: can't start new thread"):
                outcome(desk.submit(asked("a")))
        after = desk.submit(asked("b"))
        hands.wait_for(1)
        hands.finish(0)
        assert outcome(after).id == "b"


def test_a_request_that_has_no_outcome_is_told_so() -> None:
    hands = HeldHands()
    with desk_with(hands) as desk:
        ticket = desk.submit(asked("a"))
        hands.wait_for(1)
        hands.begun[0][1].set_result([])
        with pytest.raises(CannotDescribe):
            outcome(ticket)


def test_closing_finishes_what_was_taken_and_takes_no_more() -> None:
    hands = HeldHands()
    desk = Desk(DeskConfig(**CONFIG | {"window_ms": 0, "max_batch": 1}), hands)
    desk.start()
    tickets = [desk.submit(asked(id_)) for id_ in "ab"]
    hands.wait_for(1)
    closing = threading.Thread(target=desk.close)
    closing.start()
    while desk.state.open:
        time.sleep(0.01)
    with pytest.raises(Busy):
        desk.submit(asked("late"))
    hands.finish(0)
    hands.wait_for(2)
    assert closing.is_alive()
    hands.finish(1)
    closing.join(10)
    assert not closing.is_alive()
    assert [outcome(ticket).id for ticket in tickets] == ["a", "b"]


def test_a_stream_has_pieces_then_the_outcome_and_is_described_alone() -> None:
    hands = HeldHands(count=2)

    async def listen(desk: Desk) -> list[Any]:
        heard: list[Any] = []
        async for piece in desk.stream(asked("s")):
            heard.append(piece)
            if piece == "two":
                hands.finish(0)
        return heard

    def write() -> None:
        hands.wait_for(1)
        assert hands.pieces is not None
        assert hands.pieces("one")
        assert hands.pieces("two")

    with desk_with(hands) as desk:
        writer = threading.Thread(target=write)
        writer.start()
        heard = asyncio.run(listen(desk))
        writer.join()
    assert heard == ["one", "two", Described("s", {"id": "s"})]


def test_a_listener_that_leaves_stops_the_model() -> None:
    hands = HeldHands()

    async def leave(desk: Desk) -> None:
        stream = desk.stream(asked("s"))
        listening = asyncio.ensure_future(anext(stream))
        await asyncio.to_thread(hands.wait_for, 1)
        assert hands.pieces is not None
        assert hands.pieces("one")
        assert await listening == "one"
        await stream.aclose()  # type: ignore[attr-defined]
        assert not hands.pieces("two")

    with desk_with(hands) as desk:
        asyncio.run(leave(desk))
