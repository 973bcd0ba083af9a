"""What a person writes of records on the command line: which field holds what, and which records are wanted."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from configs import ConfigError
from indexer.config.files import Scalar


def pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    """Ours -> theirs of each `OURS=THEIRS`. Raises ConfigError, which names the option."""
    found = {}
    for text in given:
        ours, equals, theirs = text.partition("=")
        if not (ours and equals and theirs):
            raise ConfigError(f"{option} {text}: write it as NAME=FIELD, for example {option} article=case")
        found[ours] = theirs
    return found


def allowed(given: Sequence[str]) -> dict[str, Scalar | list[Scalar]]:
    """Field -> values it may have, of `FIELD=VALUE`: as each is written, and as what YAML makes of it (1 is a number).

    Raises ConfigError.
    """
    found: dict[str, list[Scalar]] = {}
    for text in given:
        field, equals, value = text.partition("=")
        if not (field and equals):
            raise ConfigError(f"--where {text}: write it as FIELD=VALUE, for example --where split=dev")
        try:
            read = yaml.safe_load(value)
        except yaml.YAMLError:  # "[", which is text all the same
            read = value
        options = found.setdefault(field, [])
        options += [value] if not isinstance(read, str | int | float) or read == value else [value, read]
    return {**found}
