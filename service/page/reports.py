"""Reports that the page shows: of what lies in the service's folder of runs, and of the committed results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from batch.errors import BatchError
from evaluation.errors import EvaluationError
from evaluation.report.kinds import document_of
from evaluation.report.writing import write
from service.errors import NotThere, Unusable
from service.results import Results, page_of


@dataclass(frozen=True)
class Listed:
    """A report by its kind and name, and what it is about where that is known."""

    kind: str
    name: str
    about: str = ""


class Reports:
    """`runs` is a folder of what other commands wrote: runs, experiments, batches, ratings."""

    def __init__(self, runs: Path, results: Results) -> None:
        self._runs = runs
        self._results = results

    @property
    def own(self) -> Sequence[Listed]:
        """What lies in the folder, by name. What it is is found out when it is opened."""
        if not self._runs.is_dir():
            return []
        return [Listed("own", path.name) for path in sorted(self._runs.iterdir()) if not path.name.startswith(".")]

    @property
    def committed(self) -> Sequence[Listed]:
        """The results that came with the program, by name."""
        return [Listed("committed", result.name, result.about or "") for result in self._results.all()]

    @property
    def note(self) -> str:
        """Why there are no committed results; empty where there are some."""
        return self._results.note

    def page(self, kind: str, name: str) -> str:
        """A report as HTML of one file. Raises NotThere, and Unusable for what no report can be made of."""
        file = self._own_file(name) if kind == "own" else self._results.file(name)
        if kind == "committed" and page_of(file).is_file():
            return self._results.page(name)
        try:
            return write(document_of(file), "html")
        except (EvaluationError, BatchError) as error:
            raise Unusable(str(error).replace(f"{file.parent}/", "")) from error

    def _own_file(self, name: str) -> Path:
        if name not in [one.name for one in self.own]:
            raise NotThere(f"there is no report {name[:80]!r}")
        return self._runs / name
