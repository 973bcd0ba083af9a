"""What shapes a description, as its record says it was and as it is now: input by input, in the order they act."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rag.differing import flat
from rag.recorded import Record, RecordedEvidence

State = Literal["same", "changed", "not seen"]
SCORE_TOLERANCE = 0.0005
"""A cosine similarity computed in another batch differs in the seventh digit; a record has four."""
SHOWN_DIGITS = 8


@dataclass(frozen=True)
class Input:
    """One input: `was` and `now` are JSON values, `told` says them in a line. `not seen` is what was not looked at."""

    name: str
    state: State
    was: Any
    now: Any
    told: str

    def to_json(self) -> dict[str, Any]:
        """`was` alone where it is the same."""
        if self.state != "changed":
            return {"input": self.name, "state": self.state, "was": self.was}
        return {"input": self.name, "state": self.state, "was": self.was, "now": self.now, "change": self.told}


def compare(was: Record, now: Record, again: Record | None) -> tuple[Input, ...]:
    """All inputs of a record.

    `now` is the record of the whole path run anew, or of the prompt made from the recorded evidence where no index was
    searched; `again` is of that prompt too, None where it could not be made.
    """
    made = again or now
    return (
        _images(was, now),
        _one("pixels", _pixels(was), _pixels(now)),
        Input("request", "same", was.task, was.task, f"{_asked(was)}, as the record has it"),
        *_found(was, now),
        _one("template", was.prompt, made.prompt),
        _one("prompt", was.prompt_sha256[:SHOWN_DIGITS], made.prompt_sha256[:SHOWN_DIGITS]),
        _one("model", was.model, made.model),
        _one("loading", was.run.model, made.run.model),
        _placed("adapter", _adapter(was), _adapter(made)),
        _one("params", was.params, made.params),
        _one("seed", was.seed, made.seed),
        _one("batch", f"{was.run.together} together", f"{made.run.together} together"),
        _one("settings", flat(was.run.settings), flat(made.run.settings), hides=True),
        _one("versions", was.run.versions, made.run.versions, hides=True),
        _one("machine", was.run.machine, made.run.machine),
    )


def unseen(inputs: tuple[Input, ...], names: frozenset[str]) -> tuple[Input, ...]:
    """The inputs, those of these names as not looked at."""
    return tuple(
        Input(i.name, "not seen", i.was, None, f"{_said(i.was)}, not searched again") if i.name in names else i
        for i in inputs
    )


def _one(name: str, was: Any, now: Any, hides: bool = False) -> Input:
    """`hides` tells how many values are the same in place of what they are."""
    if was == now:
        told = f"{len(was)} as they were" if hides else _said(was)
        return Input(name, "same", was, now, told)
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        keys = [key for key in {**was, **now} if key not in was or key not in now or was[key] != now[key]]
        told = "; ".join(f"{key} {_said(was.get(key))} is now {_said(now.get(key))}" for key in keys)
    else:
        told = f"{_said(was)} is now {_said(now)}"
    return Input(name, "changed", was, now, told)


def _placed(name: str, was: str | None, now: str | None) -> Input:
    """Of what is written PATH@VERSION: the same thing in another place is the same."""
    if was and now and was.rpartition("@")[2] == now.rpartition("@")[2]:
        return Input(name, "same", was, now, now)
    return _one(name, was, now)


def _images(was: Record, now: Record) -> Input:
    before, after = ([image.sha256[:SHOWN_DIGITS] for image in record.images] for record in (was, now))
    told = [
        f"{image.image} {old}" + ("" if old == new else f" is now {new}")
        for image, old, new in zip(now.images, before, after, strict=True)
    ]
    return Input("image", "same" if before == after else "changed", before, after, "; ".join(told))


def _found(was: Record, now: Record) -> Iterator[Input]:
    yield _placed("index", was.index, now.index)
    differences = list(_evidence(was.evidence, now.evidence))
    before, after = ([f"[{e.number}] {e.id}" for e in record.evidence] for record in (was, now))
    told = "; ".join(differences) or f"{len(before)} as they were"
    yield Input("evidence", "changed" if differences else "same", before, after, told)


def _evidence(was: tuple[RecordedEvidence, ...], now: tuple[RecordedEvidence, ...]) -> Iterator[str]:
    """What differs, a number of the prompt each."""
    before, after = ({e.number: e for e in evidence} for evidence in (was, now))
    for number in sorted({*before, *after}):
        old, new = before.get(number), after.get(number)
        if old is None or new is None:
            yield f"[{number}] {new.id} is new" if new else f"[{number}] {old.id if old else ''} is gone"
        elif (old.kind, old.id) != (new.kind, new.id):
            yield f"[{number}] {old.id} is now {new.id}"
        elif (old.text, old.title) != (new.text, new.title):
            yield f"[{number}] {old.id} has another text"
        elif abs(old.score - new.score) > SCORE_TOLERANCE:
            yield f"[{number}] {old.id} scored {old.score:.4f} and now {new.score:.4f}"


def _pixels(record: Record) -> list[str]:
    return [image.pixels_sha256[:SHOWN_DIGITS] for image in record.images]


def _asked(record: Record) -> str:
    return f"{record.task}: {record.question}" if record.question else record.task


def _adapter(record: Record) -> str | None:
    return record.adapter and f"{record.adapter}@{(record.run.adapter or '')[:SHOWN_DIGITS]}"


def _said(value: Any) -> str:
    """A JSON value for people."""
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_said(held)}" for key, held in value.items())
    return ", ".join(map(_said, value)) if isinstance(value, list) else str(value)
