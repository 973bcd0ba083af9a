"""Blocks on a real Ray cluster of two workers on this machine, one of which dies in the middle."""

from __future__ import annotations

import os
import pickle
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TextIO
from unittest.mock import MagicMock

import pytest
import ray
from PIL import Image

from batch.errors import RunStopped
from batch.types import Block, BlockResult, Described
from batch.workers import ray_actor, ray_cluster, ray_data
from batch.workers.ray_cluster import Fitted, Size, cluster, fitted
from batch.workers.ray_data import RayWorkers
from batch.workers.work import describe_block
from rag.config import resolve
from rag.types import Request
from tests.batch import ray_fakes
from vlm.errors import ModelNotFound

EXAMPLES = (Request("example", ("example.png",)),)

pytestmark = [
    # Ray imports its own modules that it has deprecated, and looks at pydantic's old interface.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
    # A cluster that ends leaves sockets and log files to be closed by the collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def requests(folder: Path, *names: str) -> list[Request]:
    """Requests for images of these names, each of another brightness; "missing" has no file."""
    paths = [folder / f"{grey}-{name}.png" for grey, name in enumerate(names)]
    for grey, path in enumerate(paths):
        if not path.stem.endswith("missing"):
            Image.new("RGB", (8, 8), (grey, grey, grey)).save(path)
    return [Request(path.stem, (str(path),)) for path in paths]


def blocks_of(requests: list[Request], size: int) -> list[Block]:
    return [Block(10 * n, tuple(requests[n * size : (n + 1) * size])) for n in range(-(-len(requests) // size))]


def workers(opener: object = ray_fakes.deadly_pipeline) -> RayWorkers:
    return RayWorkers(ray_fakes.plain_settings(), EXAMPLES, actors=2, gpus_per_actor=0, opener=opener)


def told(results: list[BlockResult]) -> dict[str, str]:
    """What was said of each request, or why nothing was; each once."""
    outcomes = [outcome for result in results for outcome in result.outcomes]
    said = {o.id: str(o.record["caption"]) if isinstance(o, Described) else f"{o.kind}: {o.reason}" for o in outcomes}
    assert len(said) == len(outcomes), "an outcome came twice"
    return said


def described_here(blocks: list[Block]) -> dict[str, str]:
    pipeline = ray_fakes.deadly_pipeline(ray_fakes.plain_settings(), EXAMPLES)
    return told([describe_block(pipeline, block) for block in blocks])


@dataclass
class Done:
    """A run in which one worker is killed in the middle, and three by one image: its blocks, their results as they
    came, how many blocks were taken by each of them, and what was written to the terminal."""

    blocks: list[Block]
    results: list[BlockResult] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)
    printed: str = ""


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    names = ["plain"] * 48
    names[9], names[21], names[40] = "kills", "killsonce", "missing"
    asked = requests(tmp_path_factory.mktemp("images"), *names)
    done, taken = Done(blocks_of(asked, 2)), 0

    def counted() -> Iterator[Block]:
        nonlocal taken
        for block in done.blocks:
            taken += 1
            yield block

    with (tmp_path_factory.mktemp("said") / "said").open("w+") as said:
        with cluster(None, Size(actors=2)), redirected(said):
            for result in workers().describe(counted()):
                done.taken.append(taken)
                done.results.append(result)
        said.seek(0)
        done.printed = said.read()
    assert Path(str(asked[21].images[0])).with_suffix(".killed").exists(), "no worker was killed"
    return done


@contextmanager
def redirected(file: TextIO) -> Iterator[None]:
    """Both of this process's standard streams, also what does not go through Python, to a file."""
    kept = [os.dup(1), os.dup(2)]
    try:
        with redirect_stdout(file), redirect_stderr(file):
            for stream in (1, 2):
                os.dup2(file.fileno(), stream)
            yield
    finally:
        for stream, old in zip((1, 2), kept, strict=True):
            os.dup2(old, stream)
            os.close(old)


def test_workers_that_are_killed_cost_nothing_but_time(done: Done) -> None:
    assert sorted(result.number for result in done.results) == [block.number for block in done.blocks]
    said = told(done.results)
    harmless = [replace(block, requests=tuple(r for r in block.requests if r.id != "9-kills")) for block in done.blocks]
    assert {id_: text for id_, text in said.items() if id_ != "9-kills"} == described_here(harmless)
    assert said["7-plain"] == "An image of brightness 7."
    assert said["40-missing"].startswith("image: ")


def test_an_image_that_kills_every_worker_fails_alone(done: Done) -> None:
    said = told(done.results)
    assert [id_ for id_, text in said.items() if text.startswith("worker: ")] == ["9-kills"]
    assert said["9-kills"].startswith("worker: 9-kills: the worker that described it died, again with it alone")
    assert said["8-plain"] == "An image of brightness 8.", "it shares the block of the one that kills"


def test_blocks_are_taken_as_there_is_room_for_them(done: Done) -> None:
    ahead = [taken - result for result, taken in enumerate(done.taken)]
    assert max(ahead) == 6, "three for each of two workers"
    assert done.taken[-1] == len(done.blocks)


def test_workers_have_names(done: Done) -> None:
    names = {result.worker for result in done.results}
    assert len(names) > 2, "two workers, and those that took the places of the dead"
    assert all(name.startswith(f"{socket.gethostname()}:") for name in names)


def test_ray_says_nothing_on_the_terminal(done: Done) -> None:
    assert done.printed == ""


def test_a_consumer_that_stops_stops_the_work_and_errors_come_as_they_were_said(tmp_path: Path) -> None:
    blocks = blocks_of(requests(tmp_path, *["plain"] * 20), 1)
    with cluster(None, Size(actors=2)):
        results = workers().describe(blocks)
        assert isinstance(next(results), BlockResult)
        results.close()
        with pytest.raises(ModelNotFound, match=r"^model tiny: no files in models/tiny\. Get them: python cli\.py"):
            list(workers(ray_fakes.no_pipeline).describe(blocks))


def test_an_error_of_no_kind_that_is_known_ends_the_run_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_actor, "wait", lambda _: 1)
    given = ray_actor.Given(ray_fakes.plain_settings(), EXAMPLES, str(tmp_path), ray_fakes.broken_pipeline)
    monkeypatch.chdir(tmp_path)
    (block,) = blocks_of(requests(tmp_path, "plain"), 1)
    said = ray_actor.Describer(given, MagicMock())({"position": [0], "block": [pickle.dumps(block)]})
    error = pickle.loads(said["result"][0])  # noqa: S301 - written above
    assert isinstance(error, RunStopped)
    assert re.fullmatch(r"a worker failed \(.*\): ZeroDivisionError: division by zero", str(error))


def test_where_nothing_is_left_no_cluster_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    def begun(*_: object) -> None:
        raise AssertionError("a cluster was begun")

    monkeypatch.setattr(ray_cluster, "_join", begun)
    assert list(workers().describe([])) == []


def test_a_cluster_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(**_: object) -> None:
        raise ConnectionError("Could not find any running Ray instance.\nTry again.")

    monkeypatch.setattr(ray, "init", init)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # and does not listen
        port = free.getsockname()[1]
        for address, message in {
            "auto": "^no Ray cluster at auto: Could not find any running .* Try again. See it with: ray status$",
            f"127.0.0.1:{port}": f"^no Ray cluster at 127.0.0.1:{port}: .*refused. Begin one there: ray start --head",
            "ray://head:10001": "^ray://head:10001 is no address of a Ray cluster; write it as HOST:6379, or auto",
        }.items():
            with pytest.raises(RunStopped, match=message):
                list(RayWorkers(ray_fakes.plain_settings(), EXAMPLES, address=address).describe([Block(0, EXAMPLES)]))


def test_as_many_workers_as_fit() -> None:
    assert fitted(Size(), {"CPU": 8.0}) == Fitted(8, 1.0, 0.0)
    assert fitted(Size(cpus=3), {"CPU": 8.0, "GPU": 4.0}) == Fitted(2, 3, 1.0)
    assert fitted(Size(cpus=1, gpus=0.5), {"CPU": 8.0, "GPU": 2.0}) == Fitted(4, 1, 0.5)
    assert fitted(Size(actors=3, gpus=0), {"CPU": 8.0, "GPU": 2.0}) == Fitted(3, 1.0, 0)
    with pytest.raises(RunStopped, match=r"each is to have 1 CPU and 1 GPU, and there are 8 CPU, 0 GPU\. Ask for less"):
        fitted(Size(gpus=1), {"CPU": 8.0})


def test_workers_that_ask_a_server_need_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[Size] = []

    @contextmanager
    def clustered(_: str | None, size: Size) -> Iterator[Fitted]:
        sizes.append(size)
        raise RunStopped("enough")
        yield

    monkeypatch.setattr(ray_data, "cluster", clustered)
    for name in ("server", "pocket"):
        with pytest.raises(RunStopped, match="enough"):
            list(RayWorkers(resolve(model__name=name), EXAMPLES).describe([Block(0, EXAMPLES)]))
    assert sizes == [Size(None, 1.0, 0.0), Size(None, 1.0, None)]


def test_without_ray_the_install_line_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(ray_cluster.importlib, "import_module", absent)
    with pytest.raises(RunStopped, match=r"--engine ray needs: pip install 'lumenscribe\[ray\]'"):
        list(workers().describe([Block(0, EXAMPLES)]))
