"""Processes that die, of one image or of all, and what becomes of the others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import fakes
import psutil
import pytest
from folders import Runner, failed, run, texts
from threads_told import counting_pipeline

import batch.workers.processes
from batch.errors import RunStopped
from batch.runner import OpenWorkers
from batch.types import Block, BlockResult, Described, Failed
from batch.workers.processes import Processes
from batch.workers.work import Opener
from rag.pipeline import Pipeline
from rag.types import Request
from vlm.errors import ModelNotFound

__all__ = ["run"]
EXAMPLE = [Request("a", ("a",))]
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def as_spawned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes import the fakes by their name, as this one does."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


def at_work(opener: Opener) -> OpenWorkers:
    """One process, so that few have to begin."""
    return lambda pipeline, examples: Processes(pipeline.settings, examples, 1, 1, opener)


def test_a_request_that_kills_its_process_fails_alone(run: Runner, tmp_path: Path) -> None:
    given = fakes.images(tmp_path / "images", ["a", "b", "kills", "l", "m"])
    summary = run(given, tmp_path / "out", block=2, workers=at_work(fakes.dying_pipeline))
    assert (summary.tally.described, summary.tally.failed, summary.tally.left) == (4, 1, 0)
    assert failed(tmp_path / "out") == {"kills": "worker"}
    assert list(texts(tmp_path / "out")) == ["a", "b", "l", "m"]


def test_a_process_has_its_share_of_threads_though_torch_was_there_first(run: Runner, tmp_path: Path) -> None:
    given = fakes.images(tmp_path / "images", ["a"])

    def workers(pipeline: Pipeline, examples: Sequence[Request]) -> Processes:
        return Processes(pipeline.settings, examples, 1, 3, counting_pipeline)

    run(given, tmp_path / "out", workers=workers)
    assert texts(tmp_path / "out") == {"a": "3 threads."}


def test_a_process_that_dies_once_costs_nothing(tmp_path: Path) -> None:
    """Also in the last block, which is under way alone, and of one request."""
    blocks = fakes.blocks_of(fakes.images(tmp_path / "images", ["a", "b", "c-killsonce"]), 1)
    done = list(Processes(fakes.SETTINGS, EXAMPLE, 1, 1, fakes.dying_pipeline).describe(blocks))
    assert sorted(outcome.id for result in done for outcome in result.outcomes) == ["a", "b", "c-killsonce"]
    assert all(isinstance(outcome, Described) for result in done for outcome in result.outcomes)


def test_a_process_that_dies_while_results_are_kept_is_replaced(tmp_path: Path) -> None:
    blocks = fakes.blocks_of(fakes.images(tmp_path / "images", [f"i{n}" for n in range(8)]), 1)
    results = Processes(fakes.SETTINGS, EXAMPLE, 1, 1, fakes.dying_pipeline).describe(blocks)
    done = [next(results)]
    for child in psutil.Process().children(recursive=True):
        if int(done[0].worker) == child.pid:
            child.kill()
            child.wait()
    time.sleep(0.5)  # so that the pool knows of it before it is given the next block
    done += results
    assert sorted(result.number for result in done) == list(range(8))
    assert all(isinstance(outcome, Described) for result in done for outcome in result.outcomes)
    assert len({result.worker for result in done}) == 2


def test_processes_that_die_at_once_end_the_run(run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch.workers.processes, "_DEATHS_IN_A_ROW", 2)
    given = fakes.images(tmp_path / "images", ["a", "b", "c"])
    with pytest.raises(RunStopped, match="died 2 times with nothing done in between") as told:
        run(given, tmp_path / "out", block=2, workers=at_work(fakes.stillborn))
    assert "\n" not in str(told.value)
    assert failed(tmp_path / "out") == {}
    assert run(given, tmp_path / "out").tally.described == 3


def test_an_error_of_opening_is_the_runs(tmp_path: Path) -> None:
    import ray_fakes

    blocks = fakes.blocks_of(fakes.images(tmp_path / "images", ["a"]), 1)
    with pytest.raises(ModelNotFound, match="models pull tiny"):
        list(Processes(fakes.SETTINGS, EXAMPLE, 1, 1, ray_fakes.no_pipeline).describe(blocks))


def test_who_is_to_blame_is_found_among_those_under_way() -> None:
    """The search itself, without processes: of two blocks under way the second kills, at its second request."""
    first, second, third = (Block(n, tuple(Request(f"{n}{letter}", ("x",)) for letter in "ab")) for n in range(3))
    work = batch.workers.processes._Work(iter([first, second, third]), 2)
    assert list(work.next(0)) == [first, second]
    assert list(work.died([first, second])) == []
    asked, told = [], []
    for _ in range(9):
        for block in work.next(0):
            ids = tuple(request.id for request in block.requests)
            asked.append(ids)
            outcomes = tuple(Described(id_, {}) for id_ in ids)
            dies = "1b" in ids
            told += work.died([block]) if dies else work.done(block, BlockResult(block.number, outcomes, 1.0))
    assert asked == [("0a", "0b"), ("1a", "1b"), ("1a",), ("1b",), ("2a", "2b")]
    assert [result.number for result in told] == [0, 1, 2]
    fault = Failed("1b", "worker", f"1b: {batch.workers.processes._DIED}")
    assert told[1].outcomes == (Described("1a", {}), fault)


SCRIPT = (
    "import signal, sys\n"
    "import fakes\nfrom pathlib import Path\nfrom rag.types import Request\n"
    "from batch.workers.processes import Processes\n"
    "if __name__ == '__main__':\n"
    "    for heard in (signal.SIGINT, signal.SIGTERM): signal.signal(heard, lambda *_: None)\n"
    "    blocks = fakes.blocks_of(Path(sys.argv[1]), 1)\n"
    "    at_work = Processes(fakes.SETTINGS, [Request('a', ('a',))], 1, 1, fakes.dying_pipeline)\n"
    "    for result in at_work.describe(blocks): print(result.worker, flush=True)\n"
)


def begin(tmp_path: Path, images: int, delay_s: float) -> subprocess.Popen[str]:
    """A process that describes so many images in another one, in a group of their own."""
    fakes.images(tmp_path / "images", [f"i{n:02d}" for n in range(images)])
    (tmp_path / "begin.py").write_text(SCRIPT)
    return subprocess.Popen(
        [sys.executable, str(tmp_path / "begin.py"), str(tmp_path / "images")],
        cwd=ROOT, env=os.environ | {fakes.DELAY: str(delay_s), "PYTHONPATH": "tests/batch:."}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def test_ctrl_c_while_processes_begin_does_not_kill_them(tmp_path: Path) -> None:
    """It is heard by all of the terminal's group; whether they go on is the first process's affair."""
    with begin(tmp_path, 2, 0.0) as begun:
        here = psutil.Process(begun.pid)
        while not (below := [one for one in here.children() if "spawn_main" in " ".join(one.cmdline())]):
            assert begun.poll() is None
        os.killpg(begun.pid, signal.SIGINT)
        told, said = begun.communicate(timeout=60)
    assert begun.returncode == 0
    assert said == ""
    assert told.split() == [str(below[0].pid)] * 2


def test_a_sigterm_to_all_of_them_leaves_it_to_the_first_what_is_finished(tmp_path: Path) -> None:
    """As systemd and `timeout` send it."""
    with begin(tmp_path, 4, 0.3) as begun:
        assert begun.stdout is not None
        first = begun.stdout.readline()
        os.killpg(begun.pid, signal.SIGTERM)
        told, said = begun.communicate(timeout=60)
    assert begun.returncode == 0
    assert said == ""
    assert told.split() == [first.strip()] * 3


def test_a_process_ends_at_a_sigterm_of_the_one_that_began_it(tmp_path: Path) -> None:
    """So a pool that broke gets rid of the others."""
    fakes.images(tmp_path, ["a", "b"])
    at_work = Processes(fakes.SETTINGS, [Request("a", ("a",))], 1, 1, fakes.dying_pipeline)
    results = at_work.describe(fakes.blocks_of(tmp_path, 1))
    worker = psutil.Process(int(next(results).worker))
    worker.terminate()
    worker.wait(10)
    results.close()


def test_processes_end_when_the_one_that_began_them_is_killed(tmp_path: Path) -> None:
    begun = begin(tmp_path, 50, 0.3)
    assert begun.stdout is not None
    assert begun.stderr is not None
    worker = psutil.Process(int(begun.stdout.readline()))
    below = psutil.Process(begun.pid).children(recursive=True)
    assert worker in below
    begun.send_signal(signal.SIGKILL)
    begun.wait()
    begun.stdout.close()
    begun.stderr.close()
    _, alive = psutil.wait_procs(below, timeout=10)
    assert alive == []
