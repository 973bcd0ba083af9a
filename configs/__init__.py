"""The YAML that people edit, and the one way to read it.

Knows nothing of what the keys mean: a caller brings a pydantic model, this module finds the file, refuses
keys that the model does not have and names the near one.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

ROOT = Path(__file__).parent
SINGULAR = {
    "content": "content list",
    "embedders": "embedder",
    "experiments": "experiment",
    "finetune": "finetune config",
    "indexes": "index config",
    "models": "model",
    "prompts": "prompt",
    "sets": "set",
}
"""The kinds of configuration there are, a folder each, and what one of them is called."""


_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's, ten times as fast, where PyYAML has it


class ConfigError(Exception):
    """A configuration file or value that cannot be used, with where and what to do."""


class StrictModel(BaseModel):
    """Base of every configuration: frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Model = TypeVar("Model", bound=BaseModel)


def names(kind: str) -> list[str]:
    """Names of the configurations shipped under `configs/<kind>/`."""
    return sorted(path.stem for path in (ROOT / kind).glob("*.yaml"))


def find(kind: str, name: str) -> Path:
    """The file of a named configuration, or of one given by path. Raises ConfigError with the near name."""
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        if path.is_file():
            return path
        raise ConfigError(f"{name}: no such file")
    path = ROOT / kind / f"{name}.yaml"
    if path.is_file():
        return path
    known = names(kind)
    near = hint(name, known) or "."
    raise ConfigError(f"unknown {SINGULAR[kind]} {name!r}{near} Known: {', '.join(known)}")


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises ConfigError where it cannot be read or is no mapping."""
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - both are safe loaders
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected 'key: value' lines")
    return data


def parse(model: type[Model], data: Mapping[str, Any], where: str) -> Model:
    """`data` as `model`. Raises ConfigError that names the first wrong key, with the near one."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ConfigError(f"{where}: {_first_problem(model, error)}") from error


def load(model: type[Model], path: Path) -> Model:
    """Reads one YAML file as `model`."""
    return parse(model, read_yaml(path), path.name)


def flattened(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Nested values under dotted keys: `retrieval.k`."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= flattened(value, f"{before}{key}.") if isinstance(value, Mapping) else {f"{before}{key}": value}
    return flat


def _first_problem(model: type[BaseModel], error: ValidationError) -> str:
    # A misspelt key is also a missing one; what was written is what to name.
    problem = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        leaf = str(problem["loc"][-1])
        return f"unknown key {key!r}{hint(leaf, _fields_at(model, problem['loc'][:-1]))}"
    return f"{key}: {problem['msg'].lower()}" if key else problem["msg"]


def _fields_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """Field names of the model nested at `loc`; of every model on the way where a union hides it."""
    fields: list[str] = []
    stack: list[Any] = [model]
    seen: set[Any] = set()
    while stack:
        kind = stack.pop()
        if kind in seen:
            continue
        seen.add(kind)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            if not loc or kind is not model:
                fields += [field.alias or name for name, field in kind.model_fields.items()]
            if loc:
                stack += [field.annotation for field in kind.model_fields.values()]
        else:
            stack += list(getattr(kind, "__args__", ()))
    return fields


def hint(name: str, known: list[str]) -> str:
    """`; did you mean 'near'?` where one of the known names is near, else nothing."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
