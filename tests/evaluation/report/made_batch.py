"""Folders of a batch with the program's own ledger and shards, of made-up records."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from made_results import MADE, record
from PIL import Image

from batch.ledger import Done, Ledger, Session, Shard, Sums
from batch.plan import PlanRow
from batch.run_folder import LEDGER, PLAN, RUN, SHARDS
from batch.shards import put, result, table_bytes, table_of, write_shard
from batch.types import Described

NAME, BLOCK = "0123456789ab", 4
BEGAN = datetime(2026, 11, 20, 8, tzinfo=UTC)
PAUSE, SECONDS_A_BLOCK = timedelta(hours=5), 2.0
FAILED_EVERY, ABSTAINED, WARNED, GONE, CHANGED = 10, {21, 22, 23}, {9, 13}, 5, 6
"""Places in the input, from 0."""


def write_batch(folder: Path, images: int = 96, tried: int | None = None, attack: str = "") -> Path:
    """A run in two sessions, the second five hours after the first; every tenth image fails, those after `tried` wait.

    One picture is gone by now, and one is another than it was.
    """
    run, pictures = folder / NAME, folder.parent / "pictures"
    (run / SHARDS).mkdir(parents=True)
    pictures.mkdir(exist_ok=True)
    rows = [PlanRow(f"r/{n}", str(pictures / f"{n}.png"), None, f"m{n}", None) for n in range(images)]
    rows.append(PlanRow("line 7", "", None, None, "image is missing"))
    put(table_bytes(table_of(PlanRow, rows)), run / PLAN)
    made = {key: value for key, value in MADE.items() if key != "prompt"}
    (run / RUN).write_text(json.dumps({"name": NAME, **made, "prompts": MADE["prompt"], "block": BLOCK}))
    with closing(Ledger(run / LEDGER)) as ledger:
        for start in range(0, images if tried is None else tried, BLOCK):
            _commit(ledger, run, rows, range(start, min(start + BLOCK, images)), attack)
        shards = ledger.shards()
        half = len(shards) // 2
        with closing(sqlite3.connect(run / LEDGER)) as db, db:
            _date(db, shards, half)
        for began, some in ((BEGAN, shards[:half]), (BEGAN + PAUSE, shards[half:])):
            described, failed = sum(s.described for s in some), sum(s.failed for s in some)
            seconds = SECONDS_A_BLOCK * len(some)
            command = "cli.py batch pictures --set model.url=https://user:secret@example.org/v1"
            ledger.note(Session(began.isoformat(timespec="microseconds"), command, described, failed, seconds))
    (pictures / f"{GONE}.png").unlink()
    Image.new("RGB", (30, 30)).save(pictures / f"{CHANGED}.png")
    return folder


def _commit(ledger: Ledger, run: Path, rows: list[PlanRow], places: range, attack: str) -> None:
    good = [place for place in places if place % FAILED_EVERY]
    described = [Described(rows[place].id, _record(rows[place], place, attack)) for place in good]
    number = ledger.next_number()
    file = f"{SHARDS}/part-{number:06d}.parquet"
    results = [result(f"{place:032x}", one) for place, one in zip(good, described, strict=True)]
    sums = Sums(
        {"decode": 0.1 * len(good), "generate": 0.3 * len(good), "total": 0.4 * len(good)}, 300, 20,
        len(ABSTAINED & {*good}), len((ABSTAINED | WARNED) & {*good}), 2 * len(good), len(good),
    )  # fmt: skip
    ledger.commit(
        Shard(number, file, write_shard(results, run / file), len(good), len(places) - len(good), 1.0, sums, "w"),
        [Done(rows[place].mark or "", f"{place:032x}", rows[place].id) for place in good],
        {
            rows[place].mark or "": ("image", f"{rows[place].image}: damaged image: {place} bytes{attack}")
            for place in places
            if place % FAILED_EVERY == 0
        },
    )


def _record(row: PlanRow, place: int, attack: str) -> dict[str, Any]:
    Image.new("RGB", (40, 30), (place, 90, 120)).save(row.image)
    sha256 = hashlib.sha256(Path(row.image).read_bytes()).hexdigest()
    text = f"A smear{attack}. Number {place}."
    pieces = [
        record("", "", "", 0.0, f"Neighbour {number}{attack}")["evidence"][0] | {"number": number, "id": f"n{number}"}
        for number in range(1, 6)
    ]
    abstained = place in ABSTAINED
    return {
        **record(row.id, row.image, text, 0.1),
        "article": None,
        "images": [{"image": row.image, "sha256": sha256}],
        "caption": "" if abstained else text,
        "sentences": [
            {"text": f"A smear{attack}.", "citations": [5]}, {"text": f"Number {place}.", "citations": []}
        ],
        "evidence": pieces,
        "abstained": abstained,
        "abstained_because": "confidence 0.10 is below 0.45" if abstained else None,
        "warnings": ["weak evidence"] if place in ABSTAINED | WARNED else [],
    }  # fmt: skip


def _date(db: sqlite3.Connection, shards: list[Shard], half: int) -> None:
    """When each shard was committed: a block every two seconds, after the pause those of the second session."""
    for shard in shards:
        pause, since = (PAUSE, shard.number - half) if shard.number >= half else (timedelta(0), shard.number)
        at = BEGAN + pause + timedelta(seconds=SECONDS_A_BLOCK * (since + 0.5))
        db.execute("UPDATE shards SET committed = ? WHERE number = ?", (at.isoformat(), shard.number))
