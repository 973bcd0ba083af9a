"""What a description owes to whom: the licences of the evidence that it rests on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from indexer.licenses import Term, license_of
from indexer.types import Evidence
from rag.secrets import without_secrets

_HEED: dict[Term, str] = {
    "non-commercial": "not for commercial use",
    "no derivatives": "not to be changed",
    "share alike": "to be shared alike",
}
"""What a reader must know before using a description, besides that the authors are to be named."""


@dataclass(frozen=True)
class LicenseUse:
    """A licence as it is written in the evidence of a description, None where it is not stated.

    `family` and `terms` are what it is understood as (None and nothing where it is not). Of the evidence under it
    `cited` has the numbers that a sentence cites, `shown` those that only stood in the prompt; `attributions` and
    `urls` are theirs, each once.
    """

    license: str | None
    family: str | None
    terms: tuple[Term, ...]
    cited: tuple[int, ...]
    shown: tuple[int, ...]
    attributions: tuple[str, ...]
    urls: tuple[str, ...]


def licenses_used(evidence: Sequence[Evidence], cited: Collection[int]) -> tuple[LicenseUse, ...]:
    """Each distinct licence of the evidence, those of `cited` numbers first, then in the order of their numbers."""
    by_name: dict[str | None, list[Evidence]] = {}
    for item in sorted(evidence, key=lambda e: (e.number not in cited, e.number)):
        by_name.setdefault(item.record.license, []).append(item)
    uses = []
    for name, items in by_name.items():
        known = license_of(name)
        uses.append(
            LicenseUse(
                license=name,
                family=known.family if known else None,
                terms=known.terms if known else (),
                cited=tuple(e.number for e in items if e.number in cited),
                shown=tuple(e.number for e in items if e.number not in cited),
                attributions=_distinct(e.record.attribution for e in items),
                urls=_distinct(e.record.url and without_secrets(e.record.url) for e in items),
            )
        )
    return tuple(uses)


def caution(uses: Sequence[LicenseUse]) -> str | None:
    """What a reader must heed before using the text, in one line; None where that is nothing.

    What the text cites binds it more than what the model only had before it, so the two are told apart.
    """
    resting = [said for use in uses if use.cited and (said := _heed(use))]
    showing = [said for use in uses if use.shown and not use.cited and (said := _heed(use))]
    parts = [
        f"{what} evidence {', '.join(said)}"
        for what, said in (("rests on", resting), ("its prompt held", showing))
        if said
    ]
    return "; ".join(parts) or None


def _heed(use: LicenseUse) -> str:
    if use.family is None:
        return f"under no known licence ({use.license})" if use.license else "under no known licence"
    terms = [_HEED[term] for term in use.terms if term in _HEED]
    return f"under {use.license}: {' and '.join(terms)}" if terms else ""


def _distinct(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))
