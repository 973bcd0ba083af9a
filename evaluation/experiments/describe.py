"""Runs of several settings over the same images: one model in memory at a time, nothing loaded twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from configs import ConfigError
from evaluation.errors import EvaluationError, ExperimentError
from evaluation.experiments.costs import note_model
from evaluation.experiments.plan import ARMS, Experiment
from evaluation.runs import Run, describe_set, read_run
from evaluation.sets import EvaluationSet
from indexer.errors import IndexerError
from rag.config import Settings
from rag.errors import RagError
from rag.opening import Shared, open_pipeline
from rag.pipeline import Pipeline
from vlm import VlmError
from vlm.types import Engine

Tell = Callable[[str], None]


class Describer:
    """Describes images under several settings, each a run in a folder of its own.

    Their pipelines share engines, indexes and the text model of the checks, and `shared` with others. Run again, they
    go on.
    """

    def __init__(self, images: EvaluationSet, tell: Tell, shared: Shared | None = None) -> None:
        self.images = images
        self._tell = tell
        self.shared = shared or Shared()
        self._pipelines: dict[Path, Pipeline] = {}
        self._at_work: Engine | None = None

    def open(self, settings: Settings, folder: Path) -> None:
        """Makes the run in `folder` ready, without loading a model. Raises what opening a pipeline does, and RunError
        where the folder holds a run of another configuration."""
        requests = [case.request() for case in self.images.cases]
        pipeline = open_pipeline(settings, requests, self._tell, shared=self.shared)
        describe_set(settings, self.images, folder, self._tell, pipeline, first=0)
        self._pipelines[folder] = pipeline

    def describe(self, folders: Iterable[Path], first: int | None = None) -> None:
        """Describes what these runs lack of the first so many images, those of one engine after the other."""
        for folder in self._in_turn(list(folders)):
            done = read_run(folder).records
            if all(case.id in done for case in self.images.cases[:first]):
                continue
            pipeline = self._pipelines[folder]
            self._at_work = pipeline.speaker.engine
            self.shared.only(self._at_work)
            pipeline.load()
            note_model(pipeline, folder)
            describe_set(pipeline.settings, self.images, folder, self._tell, pipeline, first)

    def _in_turn(self, folders: list[Path]) -> list[Path]:
        """By engine: first those of the one that is loaded, the others as they come."""
        by_engine: dict[int, list[Path]] = {id(self._at_work): []}
        for folder in folders:
            by_engine.setdefault(id(self._pipelines[folder].speaker.engine), []).append(folder)
        return [folder for several in by_engine.values() for folder in several]


def open_arms(experiment: Experiment, folder: Path, tell: Tell) -> Describer:
    """Every arm ready to be described, so that what is wrong with the last shows before the first is begun.

    Raises ExperimentError, which names the arm.
    """
    describer = Describer(experiment.images, tell)
    for arm in experiment.arms:
        with naming(f"arm {arm.name}"):
            describer.open(arm.settings, arm_folder(folder, arm.name))
    return describer


def once(tell: Tell) -> Tell:
    """Tells a line the first time: every pipeline that is opened says the same of its model."""
    told: set[str] = set()

    def tell_new(line: str) -> None:
        if line not in told:
            told.add(line)
            tell(line)

    return tell_new


@contextmanager
def naming(what: str) -> Iterator[None]:
    """Errors in here say what they are about."""
    try:
        yield
    except (ConfigError, EvaluationError, IndexerError, RagError, VlmError) as error:
        raise ExperimentError(f"{what}: {error}") from error


def arm_folder(folder: Path, arm: str) -> Path:
    """Where an arm's run is."""
    return folder / ARMS / arm


def read_runs(experiment: Experiment, folder: Path) -> dict[str, Run]:
    """What was said in each arm so far."""
    return {arm.name: read_run(arm_folder(folder, arm.name)) for arm in experiment.arms}
