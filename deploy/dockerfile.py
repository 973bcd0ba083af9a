"""A Dockerfile read as a list of instructions, as far as ours uses the language."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")
KNOWN = {"ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "RUN", "USER", "VOLUME", "WORKDIR"}


@dataclass(frozen=True)
class Instruction:
    """One instruction, its continued lines joined as the builder joins them, and the line it begins on, from 1."""

    line: int
    kind: str
    words: str

    @property
    def form(self) -> list[str]:
        """Its exec form, a JSON list of words. Raises ValueError where it has none."""
        found: list[str] = json.loads(self.words)
        return found


@dataclass
class Stage:
    """A stage: what `FROM` names, and what follows."""

    base: str
    name: str
    steps: list[Instruction] = field(default_factory=list)


def read(dockerfile: Path) -> tuple[dict[str, str], list[Stage]]:
    """The arguments before the first stage with their defaults, and the stages.

    Raises ValueError for an instruction that is not known here.
    """
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for step in _instructions(dockerfile.read_text(encoding="utf-8")):
        if step.kind not in KNOWN:
            raise ValueError(f"{dockerfile.name}:{step.line}: {step.kind} is not known to this rehearsal")
        if step.kind == "FROM":
            base, *named = step.words.split()
            stages.append(Stage(base, named[-1] if named else ""))
        elif stages:
            stages[-1].steps.append(step)
        elif step.kind == "ARG":
            name, _, default = step.words.partition("=")
            arguments[name] = default
    return arguments, stages


def expanded(text: str, values: Mapping[str, str]) -> str:
    """The text with $NAME and ${NAME} put in; a name without a value is nothing, as the builder has it."""
    return _VARIABLE.sub(lambda found: values.get(found[1] or found[2], ""), text)


class Ignored:
    """What `.dockerignore` keeps out of a build, by its rules: the last pattern that matches decides.

    A pattern matches what it names and all below; `**` is any folders.
    https://docs.docker.com/build/concepts/context/#dockerignore-files
    """

    def __init__(self, file: Path) -> None:
        lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
        kept = [line for line in lines if line and not line.startswith("#")]
        self._rules = [(not line.startswith("!"), _pattern(line.removeprefix("!"))) for line in kept]

    def __call__(self, path: PurePosixPath) -> bool:
        out = False
        for keeps_out, pattern in self._rules:
            if any(pattern.fullmatch(str(part)) for part in (path, *path.parents)):
                out = keeps_out
        return out


def _pattern(glob: str) -> re.Pattern[str]:
    parts = []
    for found in re.finditer(r"\*\*/|\*\*|\*|\?|[^*?]+", glob.strip("/")):
        piece = found[0]
        known = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
        parts.append(known.get(piece, re.escape(piece)))
    return re.compile("".join(parts))


def _instructions(text: str) -> list[Instruction]:
    found: list[Instruction] = []
    open_at, pieces = 0, [""]
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or (not line.strip() and not open_at):
            continue
        if not open_at:
            open_at, pieces = number, []
        pieces.append(line.rstrip().removesuffix("\\"))
        if not line.rstrip().endswith("\\"):
            kind, _, words = "".join(pieces).strip().partition(" ")
            found.append(Instruction(open_at, kind.upper(), words.strip()))
            open_at = 0
    return found
