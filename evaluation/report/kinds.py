"""What a folder or file holds, and the report of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evaluation.errors import ReportError
from evaluation.metrics.scored import ABOUT, SCORES
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
from evaluation.report.training import SUFFIXES, is_log, training_document
from evaluation.runs import RUN

Read = Callable[[Path, bool], Document]


@dataclass(frozen=True)
class Kind:
    """A kind of results: what it is called, how it is told, how it is read.

    `read` takes the path and whether images and texts of the data may be shown.
    """

    name: str
    holds: Callable[[Path], bool]
    read: Read


def document_of(path: Path, data: bool = True) -> Document:
    """The report of what lies there. With `data` False no image and no text of one is in it.

    Raises ReportError where it is nothing known or is broken, and what reading it raises.
    """
    if not path.exists():
        raise ReportError(f"{path}: no such folder or file")
    kind = next((kind for kind in KINDS if kind.holds(path)), None)
    if kind is None:
        known = ", ".join(kind.name for kind in KINDS)
        raise ReportError(f"{path} holds nothing that a report can be made of. Known are: {known}")
    try:
        document = kind.read(path, data)
        return replace(document, recipe=public(document.recipe))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise ReportError(f"{path} looks like {kind.name}, but cannot be read as that: {what}") from error


def _has(name: str) -> Callable[[Path], bool]:
    return lambda path: (path / name).is_file()


def _json(name: str, tell: Callable[[Any], bool]) -> Callable[[Path], bool]:
    """Whether the file of this name in the folder, or the file itself where it ends in .json, is told to be one."""

    def holds(path: Path) -> bool:
        file = _file(path, name)
        return file is not None and tell(read_json(file))

    return holds


def _file(path: Path, name: str) -> Path | None:
    """The JSON file: the path itself, or the only one in the folder that the name fits."""
    if path.is_file():
        return path if path.suffix == ".json" else None
    found = sorted(path.glob(name))
    return found[0] if len(found) == 1 else None


def _of(name: str, make: Callable[[Any], Document]) -> Read:
    def read(path: Path, _: bool) -> Document:
        file = _file(path, name)
        assert file is not None  # noqa: S101 - `holds` found it
        return make(read_json(file))

    return read


def _keys(*names: str) -> Callable[[Any], bool]:
    return lambda data: isinstance(data, dict) and all(name in data for name in names)


def _logs(path: Path) -> list[Path]:
    files = [path] if path.is_file() else sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
    return [file for file in files if is_log(file)]


def _ratings(path: Path, data: bool) -> Document:
    file = ratings_file(path)
    assert file is not None  # noqa: S101 - `holds` found it
    return ratings_document(file, data)


def _benchmark(path: Path, _: bool) -> Document:
    return benchmark_document(read_json(path), path)


KINDS = (
    Kind("an experiment (experiment.json)", _has(EXPERIMENT), experiment_document),
    Kind("a run (run.json)", _has(RUN), run_document),
    Kind(
        f"scores ({ABOUT}, {SCORES})",
        lambda path: (path / ABOUT).is_file() and (path / SCORES).is_file(),
        scores_document,
    ),
    Kind("ratings (.sqlite)", lambda path: ratings_file(path) is not None, _ratings),
    Kind(
        "results of evaluate retrieval (results.json)",
        _json("results.json", _keys("arms", "foils", "differences")),
        _of("results.json", retrieval_document),
    ),
    Kind(
        "a prompt search (results.json)",
        _json("results.json", lambda data: _keys("kind", "rounds")(data) and data["kind"] == "prompt search"),
        _of("results.json", search_document),
    ),
    Kind(
        "results of evaluate compare (results.json)",
        _json("results.json", lambda data: _keys("kind", "metrics")(data) and data["kind"] == "comparison"),
        _of("results.json", comparison_document),
    ),
    Kind(
        "results of evaluate calibrate (*-results.json)",
        _json("*-results.json", _keys("calibration", "aurc")),
        _of("*-results.json", calibration_document),
    ),
    Kind(
        "models bench (bench.json)", _json("bench.json", _keys("measured", "model")), _of("bench.json", bench_document)
    ),
    Kind(
        "a training log (.csv or .jsonl with step and loss)",
        lambda path: bool(_logs(path)),
        lambda path, _: training_document(_logs(path), path.stem),
    ),
    Kind(
        "a benchmark (.json with a recipe)",
        lambda path: path.is_file() and path.suffix == ".json" and is_benchmark(read_json(path)),
        _benchmark,
    ),
)
"""In the order in which they are tried: the first that holds."""
