"""What came of a run, in figures: counts, speed by stage, failures by reason."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from batch.ledger import Session, Shard, Sums
from batch.progress import Tally
from batch.run_folder import FailedRow

_REASONS, _KEPT = 10, 100
"""Reasons that people are told, and that are written down; the others, as many as images perhaps, are counted."""
_NUMBER = re.compile(r"\d[\d,.]*")


@dataclass(frozen=True)
class Summary:
    """Of all of a run, whatever the session: the records of the input as last given, and what it took.

    `failures` are counted by reason, the most frequent first, without what names the image; numbers in reasons stand
    as N.
    """

    run: str
    input: str
    tally: Tally
    sums: Sums
    failures: dict[str, int]
    kinds: dict[str, int]
    sessions: Sequence[Session]

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values; seconds by stage are what workers spent, side by side."""
        tally, sums = self.tally, self.sums
        sessions = [asdict(session) for session in self.sessions]
        wall = sum(session.wall_s for session in self.sessions)
        done = sum(session.described + session.failed for session in self.sessions)
        return {
            "run": self.run,
            "input": self.input,
            "records": tally.total,
            "described": tally.described,
            "failed": tally.failed,
            "left": tally.left,
            "abstained": sums.abstained,
            "warned": sums.warned,
            "sentences": sums.sentences,
            "sentences_with_evidence": sums.cited,
            "prompt_tokens": sums.prompt_tokens,
            "new_tokens": sums.new_tokens,
            "seconds": round(wall, 3),
            "images_per_s": round(done / wall, 3) if wall else None,
            "worker_seconds_by_stage": {stage: round(seconds, 3) for stage, seconds in sums.timings_s.items()},
            "failures_by_kind": self.kinds,
            "failures_by_reason": _most(self.failures),
            "sessions": sessions,
        }


def summarise(
    run: str, name: str, tally: Tally, shards: Iterable[Shard], failed: Sequence[FailedRow], sessions: Sequence[Session]
) -> Summary:
    """The summary of a run from its ledger."""
    sums = sum((shard.sums for shard in shards), start=Sums({}))
    reasons = Counter(reason_of(row) for row in failed)
    return Summary(
        run, name, tally, sums, dict(reasons.most_common()), dict(Counter(row.kind for row in failed).most_common()),
        sessions,
    )  # fmt: skip


def summary_text(summary: Summary) -> str:
    """A summary for people, a few lines."""
    told, tally = summary.to_json(), summary.tally
    lines = [
        f"run {summary.run} of {summary.input}: {tally.described} of {tally.total} described, {tally.failed} failed, "
        f"{tally.left} left"
    ]
    if told["images_per_s"]:
        sessions = f" in {len(summary.sessions)} sessions" if len(summary.sessions) > 1 else ""
        lines.append(f"{told['seconds']:.0f} s{sessions}, {told['images_per_s']:.2f} images/s")
    whole = sum(seconds for stage, seconds in summary.sums.timings_s.items() if stage != "total")
    if whole:
        stages = ", ".join(
            f"{stage} {seconds / whole:.0%}" for stage, seconds in summary.sums.timings_s.items() if stage != "total"
        )
        lines.append(f"where the time went: {stages}")
    if summary.sums.sentences:
        lines.append(
            f"{summary.sums.cited} of {summary.sums.sentences} sentences rest on evidence; {summary.sums.abstained} "
            f"descriptions say that they cannot tell; {summary.sums.warned} have warnings"
        )
    lines += [f"  {count} failed: {reason}" for reason, count in list(summary.failures.items())[:_REASONS]]
    if len(summary.failures) > _REASONS:
        lines.append(f"  and {len(summary.failures) - _REASONS} other reasons, in failures.parquet")
    return "\n".join(lines)


def _most(failures: dict[str, int]) -> dict[str, int]:
    """The most frequent reasons, the others as one."""
    if len(failures) <= _KEPT:
        return failures
    kept = list(failures.items())
    return dict(kept[:_KEPT]) | {"other reasons": sum(count for _, count in kept[_KEPT:])}


def reason_of(row: FailedRow) -> str:
    """Why it failed, in words that do not name it."""
    reason = row.reason
    for name in sorted({row.image, row.id}, key=len, reverse=True):
        reason = reason.removeprefix(f"{name}: ") if name else reason
    return _NUMBER.sub("N", reason)
