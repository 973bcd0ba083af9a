"""Where two runs differ, as a page of text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from batch.diff import Diff, Only, Outcome
from rag.differing import Change
from rag.show import printable

WIDTH = 100
_SETTINGS_SHOWN = 20
_SAID: dict[Outcome, str] = {
    "described": "described", "abstained": "abstained", "failed": "failed", "waiting": "not described yet",
}  # fmt: skip


def show(found: Diff) -> str:
    """What differs in how they were made, what came of their images, words, evidence, speed, the most changed texts."""
    parts = [
        [f"A  {found.a.folder}", f"B  {found.b.folder}"],
        ["How they were made", *_made(found)],
        [f"Their images: {found.both:,} in both", *_inputs(found)],
        ["What came of these" if found.both else "No image is in both", *_outcomes(found), *_failures(found)],
        _said(found),
        ["Seconds an image (its share of a batch)", *_seconds(found)],
        ["Most changed", *_examples(found)] if found.examples else [],
    ]
    return printable("\n\n".join("\n".join(lines) for lines in parts if lines) + "\n")


def _made(found: Diff) -> Iterator[str]:
    if not found.changed:
        yield "  alike, in all that shapes a text"
    for change in found.changed[:_SETTINGS_SHOWN]:
        yield _change(change)
    if len(found.changed) > _SETTINGS_SHOWN:
        yield f"  and {len(found.changed) - _SETTINGS_SHOWN} more: --json has them"
    if found.circumstances:
        names = ", ".join(change.key for change in found.circumstances)
        yield textwrap.shorten(f"  besides: {names}", WIDTH, placeholder=" ...").replace("besides", "  besides", 1)


def _change(change: Change) -> str:
    return _wrapped(f"{change.key}  ", f"{_value(change.was)} -> {_value(change.now)}")


def _value(value: Any) -> str:
    return "none" if value is None else " ".join(str(value).split())


def _inputs(found: Diff) -> Iterator[str]:
    for name, only in (("A", found.only_a), ("B", found.only_b)):
        if only.count:
            yield f"  {only.count:,} only in {name}{_first(only)}"
    if found.other_images:
        yield f"  {found.other_images:,} ids have another image in each"


def _first(only: Only) -> str:
    return f"; the first is {only.first!r}"


def _outcomes(found: Diff) -> Iterator[str]:
    rows = [("the same text", found.same), ("another text", found.different)]
    for (a, b), count in sorted(found.outcomes.items(), key=lambda row: -row[1]):
        if (a, b) != ("described", "described"):
            rows.append((f"{_SAID[a]} in both" if a == b else f"{_SAID[a]} in A, {_SAID[b]} in B", count))
    for what, count in rows:
        if count:
            yield f"  {count:>9,}  {count / found.both:6.1%}  {what}"


def _failures(found: Diff) -> Iterator[str]:
    for side, name in ((found.a, "A"), (found.b, "B")):
        if side.failures:
            kinds = ", ".join(f"{count:,} by {kind}" for kind, count in side.failures.items())
            yield f"  failed in {name}: {kinds}"
    for row in found.failed_in_one:
        yield _wrapped(f"  only in {row.run.upper()}, {row.id}: ", row.reason)


def _said(found: Diff) -> list[str]:
    lines = [f"Words of a text: {found.a.words:.1f} in A, {found.b.words:.1f} in B"]
    if found.words is not None:
        words = found.words
        lines += [
            f"  where they differ {words.mean:.0%} of the words changed on average, {words.median:.0%} in the median;",
            f"  the longest change in one place: {words.longest} words, {words.longest_id!r}",
        ]
    lines.append(
        f"Evidence: other in {found.other_evidence:,} prompts, the same in another order in {found.other_order:,}"
    )
    return lines


def _seconds(found: Diff) -> Iterator[str]:
    stages = list(dict.fromkeys([*found.a.seconds, *found.b.seconds]))
    yield f"  {'':10}{'A':>10}{'B':>10}{'B/A':>8}"
    for stage in stages:
        a, b = found.a.seconds.get(stage), found.b.seconds.get(stage)
        ratio = f"{b / a:8.2f}" if a and b is not None else f"{'-':>8}"
        yield f"  {stage:10}{_number(a)}{_number(b)}{ratio}"


def _number(seconds: float | None) -> str:
    return f"{'-':>10}" if seconds is None else f"{seconds:10.4f}"


def _examples(found: Diff) -> Iterator[str]:
    for example in found.examples:
        yield f"  {example.id}  ({example.share:.0%} of the words)"
        yield _wrapped("  A  ", example.a)
        yield _wrapped("  B  ", example.b)


def _wrapped(start: str, text: str) -> str:
    """`start`, then the text beside it, all two columns in."""
    return textwrap.fill(
        " ".join(text.split()) or "(nothing)",
        WIDTH,
        initial_indent=f"  {start}",
        subsequent_indent=" " * min(len(start) + 2, WIDTH // 2),
        break_on_hyphens=False,
    )
