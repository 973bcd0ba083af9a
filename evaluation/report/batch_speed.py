"""How fast a batch went: images a second over time, where the workers' time went, session by session."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import accumulate

import numpy as np

from batch.ledger import Session, Shard
from batch.summary import Summary
from evaluation.charts import Curve, Curves, Intervals, Mark
from evaluation.report.common import public
from evaluation.report.document import Blank, Block, Column, Group, Line, Plot, Section, Table, Words
from evaluation.report.words import counted, number
from evaluation.statistics.intervals import Estimate

BINS, FEWEST_BINS, SHARDS_A_BIN = 60, 8, 4
"""Steps of the curve at most; those that make one; shards in a step, on average, at least: with fewer it shows when
workers hand over, not how fast they are."""
MOST_SESSIONS = 12
_TOTAL = "total"
"""The key of a record's timings that is no stage."""


def section(summary: Summary, shards: Sequence[Shard]) -> Section | None:
    """Rate and seconds by stage; None where nothing was described."""
    if not summary.sessions:
        return None
    curve = rate_plot(summary.sessions, shards)
    blocks: list[Block] = [] if curve is None else [curve]
    return Section("Speed", [*blocks, *_stages(summary, shards), *_sessions(summary.sessions)])


def rate_plot(sessions: Sequence[Session], shards: Sequence[Shard]) -> Plot | None:
    """Images a second over the time that was worked; None where that is too short for a curve."""
    done = list(_done(sessions, shards))
    total = sum(session.wall_s for session in sessions)
    bins = min(BINS, len(done) // SHARDS_A_BIN)
    if bins < FEWEST_BINS or not total:
        return None
    seconds, images = np.asarray(done).T
    counts, edges = np.histogram(seconds, bins=bins, range=(0.0, total), weights=images)
    width = total / bins
    unit, unit_s = next((name, size) for name, size, least in _UNITS if total >= least)
    steps = Curve("images a second", np.repeat(edges, 2)[1:-1] / unit_s, np.repeat(counts / width, 2))
    one_by_one = f" {counted(len(sessions), 'session')} one behind the other, pauses left out." if sessions[1:] else ""
    note = (
        f"Means of {duration(width)}, by when shards were committed.{one_by_one} "
        "A session begins with loading the model and the index."
    )
    return Plot("Images a second over time", Curves([steps], f"{unit} of work", "images/s"), note)


_UNITS = (("hours", 3600.0, 3 * 3600.0), ("minutes", 60.0, 600.0), ("seconds", 1.0, 0.0))
"""Name, seconds, and from how many seconds of work on time is told in it."""


def duration(seconds: float) -> str:
    """`4.2 s`, `12 min`, `2.3 h`."""
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.0f} min" if seconds < 3 * 3600 else f"{seconds / 3600:.1f} h"


def _done(sessions: Sequence[Session], shards: Sequence[Shard]) -> Iterator[tuple[float, int]]:
    """When each shard was committed, in seconds of work, and how many images were done with it."""
    starts = [datetime.fromisoformat(session.started) for session in sessions]
    before = [0.0, *accumulate(session.wall_s for session in sessions)]
    for shard in shards:
        at = datetime.fromisoformat(shard.committed)
        place = bisect_right(starts, at) - 1
        if place >= 0:
            within = min((at - starts[place]).total_seconds(), sessions[place].wall_s)
            yield before[place] + within, shard.described + shard.failed


def _stages(summary: Summary, shards: Sequence[Shard]) -> Iterator[Block]:
    stages = {name: seconds for name, seconds in summary.sums.timings_s.items() if name != _TOTAL}
    whole, described = sum(stages.values()), sum(shard.described for shard in shards)
    if not whole or not described:
        return
    each = {name: 1000 * seconds / described for name, seconds in stages.items()}
    marks = [Mark(name, Estimate(value)) for name, value in each.items()]
    yield Plot("Where the workers' time went", Intervals(marks, "milliseconds an image", 1))
    lines = [Line(name, [seconds, 100 * seconds / whole, each[name]]) for name, seconds in stages.items()]
    columns = [Column("worker seconds", 1), Column("share, %", 1), Column("ms an image", 1)]
    clock_s = sum(session.wall_s for session in summary.sessions)
    note = (
        f"Workers are at it side by side: {number(whole, 0)} s of stages in {number(clock_s, 0)} s by the clock. "
        "Loading models is no stage."
    )
    yield Table("Seconds by stage", "stage", columns, [Group(lines)], note)


def _sessions(sessions: Sequence[Session]) -> Iterator[Block]:
    if len(sessions) == 1:
        (one,) = sessions
        yield Words(f"One session, begun {_when(one)}, of {duration(one.wall_s)}.")
        return
    shown = list(enumerate(sessions, 1))[-MOST_SESSIONS:]
    lines = [
        Line(
            f"{place}, {_when(one)}",
            [
                one.described,
                one.failed,
                one.wall_s,
                (one.described + one.failed) / one.wall_s if one.wall_s else Blank(),
                str(public(one.command)),
            ],
        )
        for place, one in shown
    ]
    columns = [
        Column("described"), Column("failed"), Column("seconds", 1), Column("images/s", 2),
        Column("command", text=True),
    ]  # fmt: skip
    note = f"The last {len(shown)} of {len(sessions)}." if len(shown) < len(sessions) else ""
    yield Table("Sessions", "session", columns, [Group(lines)], note)


def _when(session: Session) -> str:
    return f"{session.started[:16].replace('T', ' ')} UTC"
