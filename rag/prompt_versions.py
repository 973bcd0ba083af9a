"""Versions of prompt templates: kept by name and hash beside what was said with them, found again, compared.

A template's file is edited in place, so its name alone does not say what was asked. Every run keeps the templates that
it used, as `prompts/NAME@HASH.yaml` in its folder: those are the earlier versions there are. One that nothing was ever
described with is kept nowhere.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import yaml

from configs import ConfigError, names
from rag.errors import TemplateError
from rag.prompts import PromptTemplate, TemplateConfig

KEPT = "prompts"
"""The folder in a run's that holds the templates it used."""
RUNS = Path("runs")


def keep(template: PromptTemplate, run: Path) -> Path:
    """Writes the template into a run's folder, and returns its file."""
    file = run / KEPT / f"{template.version}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(written(template.config), encoding="utf-8")
    return file


def written(config: TemplateConfig) -> str:
    """A template as a file of `configs/prompts/` has it."""
    data = config.model_dump(exclude_none=True)
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def find_version(name: str, runs: Path = RUNS) -> PromptTemplate:
    """The template of that name, file, or version NAME@HASH: that of `configs/prompts/`, or one kept under `runs`.

    Raises ConfigError for an unknown name and TemplateError for a version that is kept nowhere.
    """
    plain, at, digits = name.partition("@")
    if not at or name.endswith((".yaml", ".yml")):
        return PromptTemplate.load(name)
    current = PromptTemplate.load(plain) if plain in names("prompts") else None
    if current is not None and current.hash.startswith(digits):
        return current
    for file in sorted(runs.rglob(f"{KEPT}/{plain}@{digits}*.yaml")):
        return PromptTemplate.load(str(file))
    now = "No template is named so now" if current is None else f"It is {current.version} now"
    raise TemplateError(
        f"{name}: no such version. {now}, and no run under {runs} used that one. Name another folder: --runs FOLDER"
    )


def parent_of(template: PromptTemplate) -> str | None:
    """The parent's version, and what it is now where it was changed since; None where there is none."""
    parent = template.config.parent
    if parent is None:
        return None
    name, _, digits = parent.partition("@")
    try:
        now = PromptTemplate.load(name)
    except (ConfigError, TemplateError):
        return parent
    return parent if now.hash.startswith(digits) else f"{parent}, now {now.version}"


def difference(first: PromptTemplate, second: PromptTemplate) -> str:
    """What was taken away and added, line by line; messages are headed by their role. Empty for equal texts."""
    was, now = _lines(first), _lines(second)
    if was == now:
        return ""
    marked: list[str] = []
    for kind, start, end, start_now, end_now in difflib.SequenceMatcher(None, was, now, False).get_opcodes():
        if kind == "equal":
            marked += [f"  {line}" for line in was[start:end]]
        else:
            marked += [f"- {line}" for line in was[start:end]] + [f"+ {line}" for line in now[start_now:end_now]]
    return "\n".join(marked)


def _lines(template: PromptTemplate) -> list[str]:
    found = []
    for message in template.config.messages:
        found += [f"[{message.role}]", *message.text.rstrip().split("\n")]
    return found


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, as people do."""


def _text(dumper: yaml.SafeDumper, text: str) -> Any:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
