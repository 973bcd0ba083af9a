"""The results that are committed with the program: `benchmarks/*.json`, and those of its folders, `finetune.medpix`.

They are known by name, and a name is looked up among those that are there, never made a path.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from configs import ROOT
from service.errors import NotThere

FOLDER = ROOT.parent / "benchmarks"
_DOCSTRING = re.compile(r'\s*"""(.*?)"""', re.DOTALL)


@dataclass(frozen=True)
class Result:
    """A committed result. `about` says what was measured, where its script does; `page` whether it has a page."""

    name: str
    about: str | None
    nbytes: int
    page: bool


class Results:
    """The results in a folder; an installed program has none, which `note` then says."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder

    @property
    def note(self) -> str:
        """Why there are none; empty where there are some."""
        if self._files():
            return ""
        return "the program was installed without its benchmarks; run it from its source tree to see their results"

    def all(self) -> list[Result]:
        """Those that are there, by name."""
        return [
            Result(name, _about(file), file.stat().st_size, page_of(file).is_file())
            for name, file in self._files().items()
        ]

    def json(self, name: str) -> str:
        """A result as JSON text. Raises NotThere."""
        return self.file(name).read_text(encoding="utf-8")

    def page(self, name: str) -> str:
        """The page of a result, HTML that refers to nothing outside it. Raises NotThere."""
        page = page_of(self.file(name))
        if not page.is_file():
            raise NotThere(f"{name} has no page. See GET /benchmark")
        return page.read_text(encoding="utf-8")

    def _files(self) -> dict[str, Path]:
        files = {file.stem: file for file in self._folder.glob("*.json")}
        files |= {f"{file.parent.name}.{file.stem}": file for file in self._folder.glob("*/*.json")}
        return dict(sorted(files.items()))

    def file(self, name: str) -> Path:
        """The file of a result. Raises NotThere."""
        files = self._files()
        if name not in files:
            raise NotThere(self.note or f"there is no result {name[:80]!r}. See GET /benchmark")
        return files[name]


def page_of(file: Path) -> Path:
    """Where the page of a result's file lies, if it has one."""
    return file.with_suffix(".html")


def _about(file: Path) -> str | None:
    """The first sentence of the script that measured it, which has the same name."""
    script = file.with_suffix(".py")
    if not script.is_file():
        return None
    # By its marks and not by `ast`, whose parser fails now and then in a thread beside others (CPython 3.11).
    found = _DOCSTRING.match(script.read_text(encoding="utf-8"))
    said = found[1] if found else ""
    return " ".join(said.split("\n\n")[0].split()) or None
