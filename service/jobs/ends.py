"""What becomes of a job when its process has ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from service.jobs.process import Ended
from service.jobs.results import Counted
from service.jobs.types import Standing

MOST_DEATHS = 3
"""So often in a row a job's process may die with nothing more described."""


def after(standing: Standing, ended: Ended, before: Counted, now: Counted, closing: bool) -> Standing:
    """Where a job stands after its process, with what was counted before it and is now.

    It is `queued` where there is more to do and nothing against it. One that was cancelled meanwhile, or resumed since,
    stays so.
    """
    standing = replace(standing, described=now.described, failed=now.failed)
    if standing.state != "running":
        return standing
    if ended.reason is not None:
        return replace(standing, state="failed", ended=now_utc(), reason=ended.reason)
    if ended.left == 0:
        return replace(standing, state="done", ended=now_utc(), deaths=0)
    if closing:
        return replace(standing, state="queued")
    advanced = (now.described, now.failed) != (before.described, before.failed)
    deaths = 1 if advanced else standing.deaths + 1
    if deaths < MOST_DEATHS:
        return replace(standing, state="queued", deaths=deaths)
    reason = f"its process died {deaths} times with nothing more described ({ended.how})"
    return replace(standing, state="failed", ended=now_utc(), reason=reason, deaths=0)


def now_utc() -> str:
    """The time, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
