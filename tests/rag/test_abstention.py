"""A description that cannot be relied on is withheld, and the evidence shown alone; what contradicts is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from rag import Pipeline
from rag.checking import check_warnings
from rag.confidence import SIGNALS
from rag.config import resolve
from rag.show import as_text
from rag.types import Checks, Conflict, Copied, Description, Request


def one(pipeline: Pipeline, image: Path) -> Description:
    (outcome,) = pipeline.run([Request("x", (str(image),))])
    assert isinstance(outcome, Description)
    return outcome


def test_under_the_threshold_the_evidence_stands_alone(open_with: Callable[..., Pipeline], demo: Path) -> None:
    relied_on = one(open_with(), demo / "smear.png")
    withheld = one(open_with("check.abstain_below=1"), demo / "smear.png")
    assert (relied_on.abstained, relied_on.withheld) == (False, None)
    assert withheld.abstained
    assert withheld.text == ""
    assert withheld.withheld == relied_on.text
    assert withheld.checks.sentences == ()
    assert [e.id for e in withheld.evidence] == [e.id for e in relied_on.evidence]
    assert withheld.abstained_because is not None
    assert "is below 1.00 (check.abstain_below)" in withheld.abstained_because
    shown = as_text(withheld)
    assert "No description: confidence" in shown
    assert relied_on.text not in shown
    record = json.loads(json.dumps(withheld.to_json()))
    assert (record["caption"], record["withheld"], record["abstained"]) == ("", relied_on.text, True)


def test_a_record_says_how_far_it_can_be_relied_on(open_with: Callable[..., Pipeline], demo: Path) -> None:
    record = one(open_with(), demo / "smear.png").to_json()
    assert set(record["confidence"]["signals"]) == set(SIGNALS)
    assert 0 <= record["confidence"]["score"] <= 1
    assert all(0 <= value <= 1 for value in record["confidence"]["signals"].values())
    assert {"text", "citations", "support", "basis", "supported"} == set(record["sentences"][0])
    assert {"conflicts", "copied", "left_out", "licenses"} <= set(record)


def test_conflicts_and_copies_are_told_with_both_texts() -> None:
    settings = resolve().check
    checks = Checks(
        conflicts=(
            Conflict("side", "A mass on the left.", "Mass on the right.", 2),
            Conflict("side", "A mass on the left.", "Right-sided mass.", 4),
            Conflict("number", "It is 3 cm.", "It measures 5 cm.", None),
        ),
        copied=Copied(evidence=1, run=settings.copied_run, share=0.5),
    )
    assert list(check_warnings(checks, settings)) == [
        'conflict of side: "A mass on the left." against [2], [4] "Mass on the right."',
        'conflict of number: "It is 3 cm." against the text\'s own "It measures 5 cm."',
        f"copied from [1]: {settings.copied_run} words in a row, 50% of the text",
    ]
    assert list(check_warnings(Checks(copied=Copied(1, 4, 1.0)), settings)) == []
    assert len(list(check_warnings(Checks(copied=Copied(1, 8, 1.0)), settings))) == 1
