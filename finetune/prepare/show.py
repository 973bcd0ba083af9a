"""A prepared folder's report as lines for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from finetune.prepare.report import Report, Split, Words

_KINDS = 6


def report_text(report: Report, folder: Path) -> str:
    """What a person should know before training on the folder."""
    total = sum(split.records for split in report.splits.values())
    held = f"{total:,} records, {report.images:,} images, {report.groups:,} groups"
    lines = [
        f"{folder}, from {report.request.source}: {held}",
        f"  {'split':8}{'records':>10}{'images':>10}{'groups':>10}   tasks",
    ]
    for name, split in report.splits.items():
        counts = "".join(f"{count:>10,}" for count in (split.records, split.images, split.groups))
        lines.append(f"  {name:8}{counts}   {_counted(split.tasks)}")
    for name, split in report.splits.items():
        lines += _more(name, split)
    lines.append(f"  licences: {_counted(report.licenses)}")
    lines += _leaks(report)
    if report.repeated or report.several_answers:
        lines.append(
            f"  {report.repeated:,} records repeat an earlier one; {report.several_answers:,} answer otherwise what an "
            "earlier one answers"
        )
    if report.left_out:
        lines.append(f"  left out: {_counted(report.left_out)}; each with its reason in {folder / 'left_out.jsonl'}")
        lines += [f"    {one.id}: {one.reason}" for one in report.left_out_examples if one.why != "leak"][:_KINDS]
    return "\n".join((*lines, *(f"  note: {note}" for note in report.notes)))


def _more(name: str, split: Split) -> list[str]:
    parts = [f"answers {_words(split.answer_words)}"]
    if split.question_words is not None:
        parts.append(f"questions {_words(split.question_words)}")
    if split.images_a_record > 1:
        parts.append(f"up to {split.images_a_record} images a record")
    lines = [f"  {name}: words of {'; '.join(parts)}"]
    return [*lines, f"  {name}: {_counted(split.kinds)}"] if split.kinds else lines


def _leaks(report: Report) -> list[str]:
    pairs = f"{report.copies:,} pairs of pictures are copies of each other"
    if not report.leaks:
        return [f"  leaks between splits: none; {pairs}"]
    what = "kept" if report.leaks_kept else "left out of train with their groups"
    lines = [f"  leaks between splits ({what}); {pairs}"]
    for leak in report.leaks:
        example = " and ".join(leak.examples[0])
        lines.append(f"    {leak.kind}: {leak.records:,} of {leak.splits[0]} with {leak.splits[1]}, such as {example}")
    return lines


def _words(words: Words) -> str:
    return f"median {words.median:g}, 95 % at most {words.p95}, longest {words.longest}"


def _counted(counts: Mapping[str, int]) -> str:
    shown = [f"{name} {count:,}" for name, count in list(counts.items())[:_KINDS]]
    more = len(counts) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
