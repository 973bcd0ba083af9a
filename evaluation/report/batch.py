"""The report of a batch: what was run, what came of the records, how fast it went, what failed, some samples.

Figures are of the ledger as it is now: a run that was killed, or is under way, has its page too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from batch.ledger import Shard
from batch.progress import Tally
from batch.run_folder import PAGE, BatchRun, FailedRow, read_run
from batch.shards import put
from batch.summary import Summary, reason_of, summarise
from evaluation.report import batch_samples, batch_speed
from evaluation.report.common import MOST_FAILURES, REASON_CHARS, public
from evaluation.report.document import Blank, Cell, Column, Document, Facts, Group, Line, Section, Table
from evaluation.report.html import to_html
from evaluation.report.run import prompts_of
from evaluation.report.words import counted, listed, number, percent

NAMED = 3
"""Of what failed for one reason, how many are named."""

WITHHELD = (
    "This page shows no image and no text of the data or about an image, and no id, which may be the name of a file: "
    "it was made to be shared where the data must not be. Places in the input and figures stand for them."
)


def batch_document(folder: Path, data: bool = True) -> Document:
    """Of a batch folder, the run it last worked on, or of a run in it. Without `data` nothing of the images is shown.

    Reads as many shards as it shows samples from. Raises NoRun and RunDamaged.
    """
    run = read_run(folder)
    shards = list(run.shards.values())
    described = sum(row.key is not None for row in run.plan)
    tally = Tally(len(run.plan), described, len(run.failures))
    summary = summarise(run.name, _input(run), tally, shards, run.failures, run.sessions)
    sections = [
        Section("What was run", [_facts(run.made, summary)]),
        Section("What came of it", [_counts(summary, shards)]),
        batch_speed.section(summary, shards),
        _failures(run.failures, data),
        batch_samples.section(run, shards, data),
    ]
    return Document(
        kind="batch",
        title=f"Batch {run.name}: {_model(run.made)} on {summary.input}",
        about=_about(run.made, shards),
        summary=list(_said(summary)),
        sections=[section for section in sections if section is not None],
        recipe=public(run.made),
        unmeasured={
            "how good the texts are": "a batch describes and scores nothing. Where there are captions to hold them "
            "against: python cli.py export, then evaluate score"
        },
        withheld="" if data else WITHHELD,
    )


def write_page(folder: Path) -> Path:
    """Writes the page of a run into its folder. Raises what `batch_document` does, and OSError."""
    file = folder / PAGE
    put(to_html(batch_document(folder)).encode(), file)
    return file


def _input(run: BatchRun) -> str:
    """What was described, as it was named; the ledger does not know it before a session has ended."""
    return str(run.summary["input"]) if run.summary else f"{len(run.plan):,} records"


def _model(made: Mapping[str, Any]) -> str:
    return str(made.get("model", "a model"))


def _about(made: Mapping[str, Any], shards: Sequence[Shard]) -> str:
    first, last = str(made.get("date", ""))[:10], shards[-1].committed[:10] if shards else ""
    days = first if last in ("", first) else f"{first} to {last}"
    adapter = f" with adapter {made['adapter']}" if made.get("adapter") else ""
    index = f"index {made['index']}" if made.get("index") else "no index"
    parts = [f"Model {_model(made)}{adapter}", f"prompt {_prompts(made)}", index, days]
    return f"{'; '.join(part for part in parts if part)}."


def _prompts(made: Mapping[str, Any]) -> str:
    return listed(prompts_of(made.get("prompts"))) or "unknown"


def _said(summary: Summary) -> Iterable[str]:
    """The paragraph at the top."""
    told, tally = summary.to_json(), summary.tally
    yield f"{number(tally.described, 0)} of {counted(tally.total, 'record')} were described."
    if told["images_per_s"]:
        times = f" in {counted(len(summary.sessions), 'session')}" if len(summary.sessions) > 1 else ""
        yield f"That took {batch_speed.duration(told['seconds'])}{times}: {told['images_per_s']:.3g} images a second."
    if tally.failed:
        yield f"{number(tally.failed, 0)} failed, for {counted(len(summary.failures), 'reason')} listed below."
    if tally.left:
        yield f"{number(tally.left, 0)} are left: the same command goes on with them."
    if summary.sums.sentences:
        cited, sentences = summary.sums.cited, summary.sums.sentences
        yield f"{number(cited, 0)} of {counted(sentences, 'sentence')} ({percent(cited / sentences)}) rest on evidence."
    if summary.sums.abstained:
        yield f"In {counted(summary.sums.abstained, 'case')} it abstained."
    if summary.sums.warned:
        yield f"{counted(summary.sums.warned, 'description')} {'has' if summary.sums.warned == 1 else 'have'} warnings."


def _facts(made: Mapping[str, Any], summary: Summary) -> Facts:
    params = ", ".join(f"{name} {value}" for name, value in made.get("params", {}).items() if value is not None)
    machine = [_UNITS.get(name, "{}").format(value) for name, value in made.get("machine", {}).items()]
    index = made.get("settings", {}).get("retrieval", {}).get("index")
    prompts = made.get("prompts", {})
    rows = {
        "input": summary.input,
        "model": _model(made),
        "adapter": made.get("adapter"),
        "prompt": ", ".join(f"{template} ({task})" for task, template in prompts.items()),
        "index": " at version ".join(str(part) for part in (index, made.get("index")) if part) or "none",
        "generation": params,
        "evidence in the prompt": f"{made.get('evidence_order')}, prompts of up to {made.get('prompt_tokens')} tokens",
        "command": public(made.get("command", "")),
        "versions": ", ".join(f"{name} {version}" for name, version in made.get("versions", {}).items() if version),
        "machine": ", ".join(machine),
    }
    return Facts("Model, prompt, evidence", {name: str(value) for name, value in rows.items() if value})


_UNITS = {"cores": "{} cores", "memory_gib": "{} GiB"}
"""How what run.json says of the machine is told; the rest stands as it is."""


def _counts(summary: Summary, shards: Sequence[Shard]) -> Table:
    tally, sums = summary.tally, summary.sums
    records = [
        ("described", tally.described, tally.total), ("failed", tally.failed, tally.total),
        ("not tried yet", tally.left, tally.total),
    ]  # fmt: skip
    made = sum(shard.described for shard in shards)
    descriptions = [("abstained", sums.abstained, made), ("with a warning", sums.warned, made)]
    groups = [
        Group([_counted(*row) for row in records], f"Of {counted(tally.total, 'record')}"),
        Group([_counted(*row) for row in descriptions], f"Of {counted(made, 'description')}"),
    ]
    if sums.sentences:
        cited = [_counted("rest on evidence", sums.cited, sums.sentences)]
        groups.append(Group(cited, f"Of {counted(sums.sentences, 'sentence')}"))
    note = ""
    if sums.new_tokens:
        note = f"{number(sums.prompt_tokens, 0)} tokens were read in prompts and {number(sums.new_tokens, 0)} written."
    return Table("Records, descriptions and sentences", "what", [Column("count"), Column("share, %", 1)], groups, note)


def _counted(name: str, count: int, of: int) -> Line:
    share: Cell = 100 * count / of if of else Blank()
    return Line(name, [count, share])


def _failures(failures: Sequence[FailedRow], data: bool) -> Section | None:
    """Failures by kind and reason, the most frequent first; without `data` by kind alone."""
    if not failures:
        return None
    alike: dict[tuple[str, str], list[FailedRow]] = defaultdict(list)
    for row in failures:
        alike[row.kind, reason_of(row) if data else ""].append(row)
    ordered = sorted(alike.items(), key=lambda item: -len(item[1]))
    caption = f"{counted(len(failures), 'record')} without a description, and why"
    if not data:
        rows = [Line(kind, [len(several)]) for (kind, _), several in ordered]
        note = "Reasons and names are left out: they may tell of the data."
        return Section("Failures", [Table(caption, "kind", [Column("records")], [Group(rows)], note)])
    rows = [Line(reason[:REASON_CHARS], [len(several), kind, _names(several)]) for (kind, reason), several in ordered]
    note = "Numbers in reasons stand as N; failures.parquet has each in full. Try them again: --retry-failed."
    if len(rows) > MOST_FAILURES:
        note = f"The {MOST_FAILURES} most frequent of {len(rows)} reasons. {note}"
    columns = [Column("records"), Column("kind", text=True), Column("for example", text=True)]
    return Section("Failures", [Table(caption, "reason", columns, [Group(rows[:MOST_FAILURES])], note)])


def _names(rows: Sequence[FailedRow]) -> str:
    more = f" and {len(rows) - NAMED:,} more" if len(rows) > NAMED else ""
    return ", ".join(row.id for row in rows[:NAMED]) + more
