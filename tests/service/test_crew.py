"""Processes that describe, and die. They import this file, and load no model."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future

import pytest

from batch.types import Described, Failed
from rag.config import resolve
from rag.types import Request
from service.asked import Asked, Upload
from service.config import Limits, load_config
from service.crew import Processes
from service.hands import Outcome, Threads
from service.opened import Opened


def describe_or_die(batch: Sequence[Asked], limits: Limits) -> list[Outcome]:  # noqa: ARG001 - as the real one
    """Kills its process where an image says so."""
    if any(asked.uploads[0].data == b"kill" for asked in batch):
        os._exit(1)
    return [Described(asked.id, {"id": asked.id}) for asked in batch]


@pytest.fixture
def processes() -> Iterator[Processes]:
    limits = load_config().limits
    processes = Processes(2, limits, Threads(Opened(), limits), describe_or_die)
    yield processes
    processes.close()


def asked(id_: str, data: bytes = b"x") -> Asked:
    return Asked(Request(id_, ("a.png",)), (Upload("a.png", data),), resolve())


def ids(future: Future[list[Outcome]]) -> list[str]:
    return [outcome.id for outcome in future.result(120)]


def test_a_request_that_kills_its_process_fails_alone_and_work_goes_on(processes: Processes) -> None:
    assert ids(processes.describe([asked("before")])) == ["before"]
    outcomes = processes.describe([asked("a"), asked("deadly", b"kill"), asked("b")]).result(120)
    assert [type(outcome) for outcome in outcomes] == [Described, Failed, Described]
    (failed,) = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    assert (failed.id, failed.kind) == ("deadly", "worker")
    assert ids(processes.describe([asked("after")])) == ["after"]


def test_a_batch_beside_a_deadly_one_is_described_all_the_same(processes: Processes) -> None:
    deadly = processes.describe([asked("deadly", b"kill")])
    beside = [processes.describe([asked(f"{n}a"), asked(f"{n}b")]) for n in range(6)]
    assert [ids(future) for future in beside] == [[f"{n}a", f"{n}b"] for n in range(6)]
    assert isinstance(deadly.result(120)[0], Failed)
