"""Batch folders made by the real runner with a fake engine, and what is in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fakes
import pytest

import batch.runner
from batch.inputs import open_input
from batch.run_folder import BatchRun, read_run
from batch.runner import Job, run_batch
from batch.stopping import Stop
from batch.summary import Summary
from batch.types import Item, Unusable, Workers
from batch.workers.here import Here
from rag.config import Settings
from rag.pipeline import Pipeline
from rag.types import Request

NAMES = [f"i{n:02d}" for n in range(10)]


@dataclass
class HeldInput:
    """An input in memory."""

    rows: Sequence[Item | Unusable]
    name: str = "held"
    notes: Sequence[str] = ()

    def __iter__(self) -> Any:
        return iter(self.rows)


@dataclass
class Runner:
    """Runs batches as `run_batch` does, and keeps what they said and which pipelines they opened."""

    patch: pytest.MonkeyPatch
    opener: Callable[..., Pipeline] = fakes.told_pipeline
    said: list[str] = field(default_factory=list)
    pipelines: list[Pipeline] = field(default_factory=list)

    def __call__(
        self,
        given: Path | HeldInput,
        out: Path,
        block: int = 4,
        retry_failed: bool = False,
        settings: Settings = fakes.SETTINGS,
        workers: Callable[[Pipeline, Sequence[Request]], Workers] = lambda pipeline, _: Here(pipeline),
        stop: Stop | None = None,
    ) -> Summary:
        self.patch.setattr(batch.runner, "open_pipeline", self._open)
        self.said.clear()
        held = open_input(str(given)) if isinstance(given, Path) else given
        return run_batch(Job(held, settings, out, block, retry_failed), workers, self.said.append, stop=stop)

    def _open(self, *args: Any) -> Pipeline:
        self.pipelines.append(self.opener(*args))
        return self.pipelines[-1]

    @property
    def described(self) -> int:
        """How many images the last run put to the model."""
        engine = self.pipelines[-1].speaker.engine
        assert isinstance(engine, fakes.Told)
        return sum(engine.batches)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Runner:
    return Runner(monkeypatch)


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """A folder of ten images."""
    return fakes.images(tmp_path / "images", NAMES)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def made_run(tmp_path: Path, names: Sequence[str], settings: Settings = fakes.SETTINGS, block: int = 4) -> BatchRun:
    """A run over images of these names (`fakes.images`), written by the real runner and writer."""
    with pytest.MonkeyPatch.context() as patch:
        Runner(patch)(fakes.images(tmp_path / "images", names), tmp_path / "out", block, settings=settings)
    return read_run(tmp_path / "out")


def texts(out: Path, name: str | None = None) -> dict[str, str]:
    """What a run says, by id, in the plan's order."""
    return {result.id: result.text for result in read_run(out, name).descriptions()}


def untimed(out: Path) -> list[Any]:
    """The records of a run in the plan's order, timings aside; each id once in the plan and once in the shards."""
    from batch.shards import read_shard

    run = read_run(out)
    kept = [id_ for file in run.folder.glob("shards/*.parquet") for id_ in read_shard(file)["id"].to_pylist()]
    assert len(kept) == len(set(kept))
    records = [json.loads(result.record) for result in run.descriptions()]
    assert sorted(record["id"] for record in records) == sorted(kept)
    return [record | {"timings_s": None} for record in records]


def failed(out: Path) -> dict[str, str]:
    """Kinds of what failed, by id."""
    return {row.id: row.kind for row in read_run(out).failures}
