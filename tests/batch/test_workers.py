"""A block of which something cannot be described: that alone fails, and what breaks all ends the run."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

import fakes
import pytest
from folders import Runner, failed, run, texts

from batch.errors import BatchError, RunStopped
from batch.types import Block, BlockResult, Described, Failed
from batch.workers.choose import Crew
from batch.workers.here import Here
from batch.workers.processes import Processes
from batch.workers.work import describe_block, ends_the_run
from indexer.errors import IndexCorruptError
from rag.config import resolve
from rag.pipeline import Pipeline
from rag.types import Prepared, Request
from vlm.errors import ServerUnavailable

__all__ = ["run"]
EXAMPLE = [Request("a", ("a",))]


def pipeline(kind: type[Pipeline] = Pipeline) -> Pipeline:
    return fakes.pipeline_of(kind, fakes.SETTINGS)


@pytest.mark.parametrize(("name", "kind"), [("c-memory", "memory"), ("c-prompt", "prompt"), ("c-slow", "time")])
def test_one_request_that_breaks_its_block_fails_alone(run: Runner, tmp_path: Path, name: str, kind: str) -> None:
    given = fakes.images(tmp_path / "images", ["a", "b", name, "d", "e"])
    summary = run(given, tmp_path / "out", block=5)
    assert (summary.tally.described, summary.tally.failed) == (4, 1)
    assert failed(tmp_path / "out") == {name: kind}
    assert texts(tmp_path / "out") == {i: f"An image of brightness {n}." for n, i in enumerate("abcde") if n != 2}


def test_what_was_said_before_a_fault_is_not_asked_again(tmp_path: Path) -> None:
    (block,) = fakes.blocks_of(fakes.images(tmp_path / "images", ["a", "b", "c-prompt", "d"]), 4)
    one = pipeline()
    done = describe_block(one, block)
    assert one.speaker.engine.batches == [4, 1, 1]  # type: ignore[attr-defined]
    assert [outcome.id for outcome in done.outcomes] == ["a", "b", "c-prompt", "d"]
    assert [type(outcome) for outcome in done.outcomes] == [Described, Described, Failed, Described]


def test_memory_that_suffices_for_parts_of_a_block_only(tmp_path: Path) -> None:
    names = ["a", "b", "c", "d-huge", "e", "f", "g"]
    (block,) = fakes.blocks_of(fakes.images(tmp_path / "images", names), 7)
    done = describe_block(pipeline(fakes.Crowded), block)
    assert sorted(outcome.id for outcome in done.outcomes) == names
    (fault,) = [outcome for outcome in done.outcomes if isinstance(outcome, Failed)]
    assert fault == Failed("d-huge", "memory", "d-huge: this machine's memory ran out with it alone")


def test_three_images_in_a_row_without_an_answer_are_the_servers_fault(run: Runner, tmp_path: Path) -> None:
    names = ["a", "b", "c-slow", "d-slow", "e", "f-slow", "g-slow", "h-slow"]
    given = fakes.images(tmp_path / "images", names)
    with pytest.raises(
        RunStopped, match=r"no answer in 5 s\. So it was for 3 images in a row, which count as f"
    ) as told:
        run(given, tmp_path / "out", block=5)
    assert "\n" not in str(told.value)
    assert list(texts(tmp_path / "out")) == ["a", "b", "e"]
    assert failed(tmp_path / "out") == dict.fromkeys(["c-slow", "d-slow", "f-slow", "g-slow", "h-slow"], "time")
    assert run(given, tmp_path / "out", block=5).tally.left == 0, "it does not stop there again"


def test_what_a_server_said_before_it_died_is_kept(run: Runner, tmp_path: Path) -> None:
    given = fakes.images(tmp_path / "images", ["a", "b", "c-dead", "d"])
    with pytest.raises(RunStopped, match="What was done is kept: run again to go on"):
        run(given, tmp_path / "out", block=4)
    assert list(texts(tmp_path / "out")) == ["a", "b"]
    assert failed(tmp_path / "out") == {}
    (given / "c-dead.png").rename(given / "c-back.png")
    assert run(given, tmp_path / "out", block=4).tally.left == 0
    assert list(texts(tmp_path / "out")) == ["a", "b", "c-back", "d"]


@pytest.mark.parametrize("together", [1, 2])
def test_threads_yield_every_block_once_and_take_few_ahead(tmp_path: Path, together: int) -> None:
    blocks = fakes.blocks_of(fakes.images(tmp_path / "images", [f"i{n:02d}" for n in range(12)]), 2)
    taken: list[int] = []

    def coming() -> Iterator[Block]:
        for block in blocks:
            taken.append(block.number)
            yield block

    seen: list[int] = []
    for result in Here(pipeline(), together).describe(coming()):
        seen.append(result.number)
        assert len(taken) - len(seen) <= together
    assert sorted(seen) == [0, 1, 2, 3, 4, 5]


def test_what_is_done_is_yielded_before_what_ends_the_run(tmp_path: Path) -> None:
    blocks = fakes.blocks_of(fakes.images(tmp_path / "images", ["a", "b", "c-dead", "d"]), 1)
    results = Here(pipeline()).describe(blocks)
    assert [next(results).number, next(results).number] == [0, 1]
    with pytest.raises(ServerUnavailable):
        next(results)


def test_of_blocks_done_at_once_the_one_that_ends_the_run_comes_last() -> None:
    stopped, whole, broken = Future[BlockResult](), Future[BlockResult](), Future[BlockResult]()
    stopped.set_result(BlockResult(0, (), 1.0, stopped="a server died."))
    whole.set_result(BlockResult(1, (), 1.0))
    broken.set_exception(ServerUnavailable("a server died."))
    for done in itertools.permutations([stopped, whole, broken]):
        assert sorted(done, key=ends_the_run)[0] is whole


def test_an_error_while_a_block_is_prepared_ends_the_run(tmp_path: Path) -> None:
    class Broken(Pipeline):
        def prepare(self, requests: Sequence[Request]) -> Prepared:
            if requests[0].id == "b":
                raise IndexCorruptError("the index is damaged. Build it again")
            return super().prepare(requests)

    blocks = fakes.blocks_of(fakes.images(tmp_path / "images", ["a", "b", "c"]), 1)
    results = Here(pipeline(Broken)).describe(blocks)
    assert next(results).number == 0
    with pytest.raises(IndexCorruptError):
        next(results)


def test_closing_ends_the_threads(tmp_path: Path) -> None:
    import threading

    blocks = fakes.blocks_of(fakes.images(tmp_path / "images", ["a", "b", "c", "d"]), 1)
    results = Here(pipeline()).describe(blocks)
    next(results)
    results.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("prepare", "describe"))]


def test_a_small_model_is_loaded_once_a_core_and_a_server_asked_by_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3})
    monkeypatch.setattr("batch.workers.choose.has_gpu", lambda: False)
    from rag.opening import open_pipeline

    plain = resolve(fakes.SETTINGS.model_dump())
    pocket = open_pipeline(plain, EXAMPLE)
    many = Crew().open(pocket, EXAMPLE)
    assert isinstance(many, Processes)
    assert isinstance(Crew(workers=1).open(pocket, EXAMPLE), Here)
    assert isinstance(Crew().open(pipeline(), EXAMPLE), Here)
    with pytest.raises(BatchError, match="with --server vllm its engines have one each"):
        Crew("ray", gpus=0.5, server="vllm")
    with pytest.raises(BatchError, match="go with --engine ray"):
        Crew(server="vllm")
    with pytest.raises(BatchError, match=r"server\.concurrency says how much at once"):
        Crew(workers=2).open(pipeline(), EXAMPLE)
