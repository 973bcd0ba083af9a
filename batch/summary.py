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

_NUMBER = re.compile(r"\d[\d,.]*")


@dataclass(frozen=True)
class Summary:
    """Of all of a run, whatever the session: the records of the input as last given, and what it took.

    `failures` are counted by reason, without what names the image; numbers in reasons stand as N.
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
            "failures_by_reason": self.failures,
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


def reason_of(row: FailedRow) -> str:
    """Why it failed, in words that do not name it."""
    reason = row.reason
    for name in sorted({row.image, row.id}, key=len, reverse=True):
        reason = reason.removeprefix(f"{name}: ") if name else reason
    return _NUMBER.sub("N", reason)
