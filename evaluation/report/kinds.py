"""What a folder or file holds, and the report of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from batch.run_folder import LEDGER
from evaluation.errors import ReportError
from evaluation.metrics.scored import ABOUT, SCORES
from evaluation.report.batch import batch_document
from evaluation.report.bench import bench_document
from evaluation.report.benchmark import benchmark_document, is_benchmark
from evaluation.report.calibration import calibration_document
from evaluation.report.common import public, read_json
from evaluation.report.comparison import comparison_document
from evaluation.report.document import Document
from evaluation.report.experiment import experiment_document
from evaluation.report.experiment_folder import EXPERIMENT
from evaluation.report.ratings import ratings_document, ratings_file
from evaluation.report.retrieval import retrieval_document
from evaluation.report.run import run_document, scores_document
from evaluation.report.search import search_document
from evaluation.report.training import is_log, training_document
from evaluation.runs import RUN

NOTHING_OF_DATA = "This kind of results holds no image and no text of the data: nothing was left out of this page."
AS_IT_STANDS = (
    "This kind of results is shown as its file has it, and nothing was left out of this page: where the file quotes "
    "texts of the data, so does the page."
)


@dataclass
class Place:
    """A folder or file whose kind is to be found out; what was read of it is kept, since several kinds look."""

    path: Path
    _read: dict[Path, Any] = field(default_factory=dict)

    def has(self, *names: str) -> bool:
        """Whether all these files are in the folder."""
        return all((self.path / name).is_file() for name in names)

    def json(self, name: str) -> Any:
        """What the file itself holds where it ends in .json, or the only one in the folder that the name fits.

        None where there is none. Raises ReportError.
        """
        found = sorted(self.path.glob(name)) if self.path.is_dir() else [self.path]
        if len(found) != 1 or found[0].suffix != ".json":
            return None
        if found[0] not in self._read:
            self._read[found[0]] = read_json(found[0])
        return self._read[found[0]]


@dataclass(frozen=True)
class Kind:
    """A kind of results: what it is called, how it is told, how it is read.

    `read` takes the place and whether images and texts of the data may be shown. `shared` is what a page says of
    itself where they may not, and the kind has nothing to leave out.
    """

    name: str
    holds: Callable[[Place], bool]
    read: Callable[[Place, bool], Document]
    shared: str = ""


def document_of(path: Path, data: bool = True) -> Document:
    """The report of what lies there. With `data` False no image and no text of one is in it.

    Raises ReportError where it is nothing known or is broken, and what reading it raises.
    """
    if not path.exists():
        raise ReportError(f"{path}: no such folder or file")
    place = Place(path)
    kind = next((kind for kind in KINDS if kind.holds(place)), None)
    if kind is None:
        known = ", ".join(kind.name for kind in KINDS)
        raise ReportError(f"{path} holds nothing that a report can be made of. Known are: {known}")
    try:
        document = kind.read(place, data)
        withheld = document.withheld if data else document.withheld or kind.shared
        return replace(document, recipe=public(document.recipe), withheld=withheld)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise ReportError(f"{path} looks like {kind.name}, but cannot be read as that: {what}") from error


def _json(kind: str, name: str, tell: Callable[[Any], bool], make: Callable[[Any], Document], shared: str) -> Kind:
    """A kind that is all in a JSON file of this name."""
    return Kind(
        kind,
        lambda place: tell(place.json(name)),
        lambda place, _: make(place.json(name)),
        shared,
    )


def _keys(*names: str, kind: str = "") -> Callable[[Any], bool]:
    """Whether all these are there and, where one is asked for, `kind` says so."""
    return lambda data: (
        isinstance(data, dict) and all(name in data for name in names) and (not kind or data.get("kind") == kind)
    )


def _of_folder(read: Callable[[Path, bool], Document]) -> Callable[[Place, bool], Document]:
    return lambda place, data: read(place.path, data)


def _logs(place: Place) -> list[Path]:
    files = [place.path] if place.path.is_file() else sorted(place.path.iterdir())
    return [file for file in files if is_log(file)]


def _ratings(place: Place, data: bool) -> Document:
    file = ratings_file(place.path)
    assert file is not None  # noqa: S101 - `holds` found it
    return ratings_document(file, data)


def _is_batch(place: Place) -> bool:
    """Whether it is a run of a batch, which has a ledger, or holds some."""
    return place.has(RUN, LEDGER) or any((file.parent / RUN).is_file() for file in place.path.glob(f"*/{LEDGER}"))


KINDS = (
    Kind("an experiment (experiment.json)", lambda place: place.has(EXPERIMENT), _of_folder(experiment_document)),
    Kind(f"a batch ({RUN}, {LEDGER})", _is_batch, _of_folder(batch_document)),
    Kind("a run (run.json)", lambda place: place.has(RUN), _of_folder(run_document)),
    Kind(f"scores ({ABOUT}, {SCORES})", lambda place: place.has(ABOUT, SCORES), _of_folder(scores_document)),
    Kind("ratings (.sqlite)", lambda place: ratings_file(place.path) is not None, _ratings),
    _json(
        "results of evaluate retrieval (results.json)", "results.json", _keys("arms", "foils", "differences"),
        retrieval_document, NOTHING_OF_DATA,
    ),
    _json(
        "a prompt search (results.json)", "results.json", _keys("rounds", kind="prompt search"), search_document,
        AS_IT_STANDS,
    ),
    _json(
        "results of evaluate compare (results.json)", "results.json", _keys("metrics", kind="comparison"),
        comparison_document, NOTHING_OF_DATA,
    ),
    _json(
        "results of evaluate calibrate (*-results.json)", "*-results.json", _keys("calibration", "aurc"),
        calibration_document, NOTHING_OF_DATA,
    ),
    _json("models bench (bench.json)", "bench.json", _keys("measured", "model"), bench_document, NOTHING_OF_DATA),
    Kind(
        "a training log (.csv or .jsonl with step and loss)",
        lambda place: bool(_logs(place)),
        lambda place, _: training_document(_logs(place), place.path.stem),
        NOTHING_OF_DATA,
    ),
    Kind(
        "a benchmark (.json with a recipe)",
        lambda place: place.path.is_file() and is_benchmark(place.json("")),
        lambda place, _: benchmark_document(place.json(""), place.path),
        AS_IT_STANDS,
    ),
)  # fmt: skip
"""In the order in which they are tried: the first that holds."""
