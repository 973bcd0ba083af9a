"""Evidence that gives orders is left out, and the search goes on without it, as if the index did not hold it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from indexer.types import Evidence, Passage
from rag.guard import Left
from rag.untrusted import instruction_in

if TYPE_CHECKING:
    from rag.retrieve import Found

MAX_SEARCHES = 6
"""Searches of one request. What still gives orders in the last is left out, and nothing takes its place."""

Find = Callable[[Sequence[int], Sequence[Left]], "list[Found]"]
"""What is found for the requests in some places of a batch, each without what it must not be shown."""


def trusted(find: Find, left: Sequence[Left]) -> list[Found]:
    """What is found for each request of a batch, and nothing that gives orders; warnings say what was left out."""
    places = list(range(len(left)))
    barred: list[dict[str, Evidence]] = [{} for _ in left]
    done = dict(zip(places, find(places, left), strict=True))
    for searched in range(1, MAX_SEARCHES + 1):
        places = [place for place in places if _note(barred[place], done[place].evidence)]
        if not places or searched == MAX_SEARCHES:
            break
        without = [left[place].without(barred[place].keys()) for place in places]
        done |= dict(zip(places, find(places, without), strict=True))
    return [_told(done[place], barred[place]) for place in range(len(left))]


def order_in(evidence: Evidence) -> str | None:
    """The words by which a piece of evidence gives orders, its title read too; None where it gives none."""
    record = evidence.record
    title = f"{record.title}\n" if isinstance(record, Passage) and record.title else ""
    return instruction_in(f"{title}{evidence.text}")


def _note(barred: dict[str, Evidence], evidence: Sequence[Evidence]) -> bool:
    """Adds what gives orders; whether there was any."""
    found = {item.id: item for item in evidence if order_in(item) is not None}
    barred |= found
    return bool(found)


def _told(found: Found, barred: dict[str, Evidence]) -> Found:
    """What was found, less what is barred, with a warning and a count of it."""
    if not barred:
        return found
    kept = tuple(item for item in found.evidence if item.id not in barred)
    warnings = tuple(
        f'{item.kind} {id_} was left out of the evidence, for its text speaks to the model: "{order_in(item)}"; '
        "the next in rank was taken where there was one"
        for id_, item in barred.items()
    )
    counts = replace(found.left_out, instructions=len(barred))
    return replace(found, evidence=kept, warnings=(*found.warnings, *warnings), left_out=counts)
