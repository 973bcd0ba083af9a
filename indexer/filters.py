"""What a search may find, as SQL."""

from __future__ import annotations

import json
from collections.abc import Sequence

from indexer.types import Filter


def marks_of(name: str, values: Sequence[object]) -> tuple[str, dict[str, object]]:
    """Named placeholders for a list in SQL, and what they stand for."""
    named: dict[str, object] = {f"{name}_{number}": value for number, value in enumerate(values)}
    return ", ".join(f":{key}" for key in named), named


def condition(only: Filter, allowed: Sequence[str] = ()) -> tuple[str, dict[str, object]]:
    """A filter as SQL, "1" for an empty one, and the values it names.

    `allowed` are the licences of the records, as they are written there, that `only.allow_licenses` lets through.
    """
    parts: list[str] = []
    named: dict[str, object] = {}
    for column, values in (("source", only.sources), ("license", only.licenses)):
        if values:
            marks, some = marks_of(column, sorted(value.lower() for value in values))
            parts.append(f"lower({column}) IN ({marks})")
            named |= some
    if only.modalities:
        begins = []
        for number, name in enumerate(sorted(only.modalities)):
            # 'CT -' begins with 'CT ', and so does 'CT' itself with the space that is put behind it; 'CTA' does not.
            begins.append(f"substr(lower(modality) || ' ', 1, length(:modality_{number})) = :modality_{number}")
            named[f"modality_{number}"] = name.lower() + " "
        parts.append(f"({' OR '.join(begins)})")
    for number, part in enumerate(sorted(only.without_licenses)):
        parts.append(f"license IS NOT NULL AND instr(lower(license), :without_{number}) = 0")
        named[f"without_{number}"] = part.lower()
    if only.allow_licenses:
        parts.append("license IN (SELECT value FROM json_each(:allowed))")
        named["allowed"] = json.dumps(list(allowed))
    if only.year_from is not None:
        parts.append("year >= :year_from")
        named["year_from"] = only.year_from
    if only.year_to is not None:
        parts.append("year <= :year_to")
        named["year_to"] = only.year_to
    return " AND ".join(parts) or "1", named
