"""Which of the packages that this program names are installed. Imports the standard library alone.

So it can speak where nothing is installed at all, and the rest of the program cannot even be imported.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

PYPROJECT = Path(__file__).with_name("pyproject.toml")
MEND = "make install"


@dataclass(frozen=True)
class Group:
    """Packages that belong together: those that are always needed (`extra` is empty), or those of an extra."""

    extra: str
    needed: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def mend(self) -> str:
        """The command that installs what is missing."""
        return f"pip install 'lumenscribe[{self.extra}]'  (or: {MEND})" if self.extra else MEND


def groups() -> list[Group]:
    """What is always needed first, then the extras by name."""
    needed: dict[str, list[str]] = {"": []}
    for requirement in _requirements():
        spec, _, marker = requirement.partition(";")
        extra = re.search(r"extra\s*==\s*['\"]([\w-]+)", marker)
        name = re.match(r"[\w.-]+", spec.strip())
        if name:
            needed.setdefault(extra[1] if extra else "", []).append(name[0])
    return [Group(extra, tuple(names), tuple(filter(_absent, names))) for extra, names in sorted(needed.items())]


def bare_report() -> list[str]:
    """A line for each needed package that is missing, and how to get them; empty where nothing is."""
    if sys.version_info < (3, 11):  # noqa: UP036 - an older Python must get as far as being told so
        return [f"Python 3.11 or later is needed, this is {sys.version.split()[0]}:  make PYTHON=python3.11 install"]
    base = groups()[0]
    if not base.missing:
        return []
    width = max(map(len, base.missing))
    lines = [f"broken   {name:<{width}}  is not installed" for name in base.missing]
    many = f"{len(base.missing)} of {len(base.needed)} packages are missing here (Python {sys.version.split()[0]})"
    return [*lines, f"{many}. Install them into .venv:  {MEND}", "Then run:  .venv/bin/python cli.py doctor"]


def _requirements() -> list[str]:
    """As the source that this file lies in names them, or the installed program; an extra's name behind a `;`."""
    if not PYPROJECT.is_file():
        return metadata.requires("lumenscribe") or []
    import tomllib  # Python 3.11 has it; older ones must get as far as being told so

    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].items()
    return [*project["dependencies"], *(f"{need}; extra == '{name}'" for name, needs in extras for need in needs)]


def _absent(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return True
    return False
