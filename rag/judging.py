"""A record and what came of running it again: whether the results are the same, and which input is to blame if not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rag.changes import Input, compare, unseen
from rag.recorded import Record
from rag.types import Description, Failure

LOGPROB_TOLERANCE, SHORT_LOGPROB_TOLERANCE = 0.001, 0.01
"""Nats a token, in float32 and in 16 bits. In float32 the same sums in another order (threads, batch) move the mean by
less than the four digits of a record; NF4 in place of no quantisation moved the embedded model's by 0.005."""
PROBABILITY_TOLERANCE = 0.01
"""Of a label."""
_SEARCHED = frozenset({"index", "evidence"})
"""What no result depends on that is made from recorded evidence."""
_FINDING = _SEARCHED | {"image", "pixels", "settings"}
"""What decides which evidence is found."""


@dataclass(frozen=True)
class Said:
    """A result: the text, or why there is none now; how likely the model finds it, by token or by label."""

    text: str
    mean_logprob: float | None
    label_probabilities: dict[str, float]
    failure: str | None = None

    def differs(self, was: Said, tolerance: float) -> str | None:
        """How it differs from the recorded result, in words; None where it is the same.

        `tolerance` is of the mean log-probability, in nats a token.
        """
        if self.failure:
            return f"there is no result now: {self.failure}"
        if self.text != was.text:
            return "the text differs"
        one, other = self.mean_logprob, was.mean_logprob
        if one is not None and other is not None and abs(one - other) > tolerance:
            return f"the text is the same, its mean log-probability is not: {other:.4f} is now {one:.4f}"
        for label, before in was.label_probabilities.items():
            after = self.label_probabilities.get(label, 0.0)
            if abs(after - before) > PROBABILITY_TOLERANCE:
                return f"the answer is the same, its probability is not: {label} {before:.4f} is now {after:.4f}"
        return None


@dataclass(frozen=True)
class Replay:
    """What came of running a record again. `impossible` has a reason and nothing else.

    `from_record` is the result with the recorded evidence, None where its prompt could not be made again; `anew` that
    of the whole path, None where no index was searched.
    """

    id: str
    result: Literal["same", "different", "impossible"]
    reason: str
    inputs: tuple[Input, ...] = ()
    first_changed: str | None = None
    was: Said | None = None
    from_record: Said | None = None
    anew: Said | None = None

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        said = {"was": self.was, "from_record": self.from_record, "anew": self.anew}
        return {
            "id": self.id,
            "result": self.result,
            "reason": self.reason,
            "first_changed": self.first_changed,
            "inputs": [one.to_json() for one in self.inputs],
            "outputs": {name: asdict(one) for name, one in said.items() if one is not None},
        }


def judged(was: Record, alone: Description | Failure | None, anew: Description | Failure | None) -> Replay:
    """`alone` is what came of the recorded evidence, `anew` of the whole path; see `Replay` for where one is None."""
    before = Said(was.text, was.mean_logprob, was.label_probabilities)
    said = {name: _said(came) for name, came in (("alone", alone), ("anew", anew)) if came is not None}
    tolerance = LOGPROB_TOLERANCE if was.run.model.get("dtype") == "float32" else SHORT_LOGPROB_TOLERANCE
    wrong = {name: why for name, result in said.items() if (why := result.differs(before, tolerance))}
    inputs = _inputs(was, alone, anew)
    blamed = _blamed(inputs, wrong) if wrong else []
    return Replay(
        id=was.id,
        result="different" if wrong else "same",
        reason=_difference(was, inputs, wrong, blamed, len(said)) if wrong else _sameness(before, said, inputs),
        inputs=inputs,
        first_changed=blamed[0].name if blamed else None,
        was=before,
        from_record=said.get("alone"),
        anew=said.get("anew"),
    )


def _inputs(was: Record, alone: Description | Failure | None, anew: Description | Failure | None) -> tuple[Input, ...]:
    """Compared as far as there are records of now."""
    now, again = _record(anew), _record(alone)
    made = now or again
    if made is None:
        return ()
    inputs = compare(was, made, again)
    return unseen(inputs, _SEARCHED) if now is None and was.index is not None else inputs


def _blamed(inputs: tuple[Input, ...], wrong: Mapping[str, str]) -> list[Input]:
    """The inputs that changed and can have made the difference, in the order they act.

    An index that gives the same evidence has not, nor has an image file with the same pixels, nor a template that
    makes the same prompt. Where the recorded evidence brings the recorded result, it was what searching found.
    """
    changed = {i.name for i in inputs if i.state == "changed"}
    able = changed if "alone" in wrong or "evidence" not in changed else changed & _FINDING
    if "evidence" not in changed:
        able = able - _SEARCHED if "pixels" in changed else able - _SEARCHED - {"image"}
    if "prompt" not in changed:
        able = able - {"template"}
    return [i for i in inputs if i.name in able]


def _sameness(was: Said, said: Mapping[str, Said], inputs: tuple[Input, ...]) -> str:
    changed = [i.name for i in inputs if i.state == "changed"]
    parts = ["the same text"]
    if was.mean_logprob is not None:
        now = next(iter(said.values())).mean_logprob
        nearly = f", now {now:.4f}" if now is not None and now != was.mean_logprob else ""
        parts.append(f"and mean log-probability ({was.mean_logprob:.4f}{nearly})")
    if len(said) > 1:
        parts.append("with the recorded evidence and with evidence searched anew")
    if changed:
        parts.append(f"though changed: {', '.join(changed)}")
    return " ".join(parts[:-1]) + f", {parts[-1]}" if changed else " ".join(parts)


def _difference(
    was: Record, inputs: tuple[Input, ...], wrong: Mapping[str, str], blamed: Sequence[Input], looks: int
) -> str:
    why = next(iter(wrong.values()))
    if len(wrong) < looks:
        one, other = ("recorded", "searched anew") if "alone" in wrong else ("searched anew", "recorded")
        why = f"with the evidence {one}, {why}; with the evidence {other} the result is the same"
    if not inputs:
        return why
    if not blamed:
        return f"{why}. No input changed that could have done it: {_unexplained(was)}"
    said = f"{why}. First input that changed: {blamed[0].name}, {blamed[0].told}"
    later = [i for i in blamed if i.name not in _SEARCHED]
    if "alone" in wrong and blamed[0].name in _SEARCHED and later:
        said += f". With the recorded evidence the result differs as well: {later[0].name}, {later[0].told}"
    settings = next((i for i in inputs if i.name == "settings" and i.state == "changed"), None)
    if settings and settings not in (blamed[0], *later[:1]):
        said += f". The settings changed too: {settings.told}"
    return said


def _unexplained(was: Record) -> str:
    """What makes results differ that no record can hold."""
    if was.params.get("temperature"):
        return "it was sampled, and a seed brings the same numbers only on the same device with the same libraries"
    if was.stop == "time" or was.params.get("time_limit_s"):
        return "it has a time limit, and how far a text comes by then is the machine's affair"
    if was.run.machine.get("device") == "server":
        return "a server computes it, with whatever else it has to do"
    if was.run.machine.get("device") != "cpu":
        return "sums on a GPU are not made in a fixed order"
    return "the computation is not the same each time, or the record was edited"


def _record(came: Description | Failure | None) -> Record | None:
    if not isinstance(came, Description):
        return None
    return Record.of(json.loads(json.dumps(came.to_json())))


def _said(came: Description | Failure) -> Said:
    if isinstance(came, Failure):
        return Said("", None, {}, came.reason)
    record = Record.of(json.loads(json.dumps(came.to_json())))
    return Said(record.text, record.mean_logprob, record.label_probabilities)
