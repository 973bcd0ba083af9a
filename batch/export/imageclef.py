"""The file that the ImageCLEFmedical Caption task takes.

UTF-8 without BOM, header `ID,Caption`, a row an id in the ground truth's order, no blank lines. The rules are those of
the task's own check of 2026, which reads the file twice: as lines (`str.splitlines`) and as CSV, and compares the two.
So a caption holds no break of a line of any kind, and an id no comma or quotation mark.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from batch.errors import ExportError
from batch.export.placing import placed_file
from batch.export.types import Exported, Tally
from batch.run_folder import BatchRun

HEADER = ("ID", "Caption")
_IDS = ("id", "image_id")
"""What the ground truth's column of ids may be called, in any case."""
_UNFIT = re.compile(r'[,"\n\r]|^\s|\s$|^$')


def write_submission(captions: Iterable[tuple[str, str]], path: Path) -> int:
    """Writes (id, caption) pairs in the order given, whitespace of any kind as single spaces; returns how many.

    Raises ExportError where a caption is empty, an id is not as the task takes them, or the file cannot be written;
    `path` is then as it was.
    """
    empty, rows = Tally(), 0
    with placed_file(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        for id_, text in captions:
            if _UNFIT.search(id_):
                raise ExportError(f"id {id_!r}: the task takes no comma, quotation mark or outer space in an id")
            caption = " ".join(text.split())
            if not caption:
                empty.add(id_, "empty")
            writer.writerow((id_, caption))
            rows += 1
        if empty.count:
            raise ExportError(
                f"{empty.count:,} of {rows:,} captions are empty, the first of id {empty.first!r}: "
                "a submission needs them all"
            )
    return rows


def submission(run: BatchRun, path: Path, order: Path | None, empty: str | None) -> Exported:
    """The run's captions for the ids of `order`, a CSV with a column ID, in its order; without it for the input's.

    `empty` is written for what has no description, an abstention or an empty one. Raises ExportError, naming how many
    these are and the first, where it is None; where it is blank; and what `write_submission` and `ground_truth` raise.
    """
    if empty is not None and not empty.strip():
        raise ExportError("--empty needs a text: a submission has no empty captions")
    lacking, notes = Tally(), list[str]()
    captions = _in_plan(run) if order is None else _in_order(run, order, notes)
    rows = write_submission(_filled(captions, empty, lacking), path)
    if lacking.count:
        notes.append(f"{lacking.count:,} captions are the text of --empty: {lacking.told()}")
    return Exported(path, rows, notes=tuple(notes))


def ground_truth(path: Path) -> list[str]:
    """The ids of a CSV with a column ID (or image_id), in its order; blank lines do not count, as in the task's check.

    Raises ExportError where it cannot be read, has no such column, an id twice or none at all.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            column = next((at for at, name in enumerate(header) if name.strip().lower() in _IDS), None)
            if column is None:
                raise ExportError(f"{path} has no column ID; its first line is {','.join(header)[:80]!r}")
            ids = [row[column].strip() if column < len(row) else "" for row in reader if row]
    except (OSError, ValueError, csv.Error) as error:
        raise ExportError(f"{path} cannot be read as a CSV in UTF-8: {error}") from error
    twice = Tally()
    seen = set[str]()
    for id_ in ids:
        if id_ in seen:
            twice.add(id_, "twice")
        seen.add(id_)
    if twice.count or not ids:
        raise ExportError(f"{path}: " + (f"id {twice.first!r} stands there twice" if ids else "no ids in it"))
    return ids


def _in_plan(run: BatchRun) -> Iterator[tuple[str, str | None, str]]:
    """Of each record of the input: id, text (None where there is none), why not; a few shards are in memory."""
    failed = {row.id for row in run.failures}
    descriptions = run.descriptions()
    found = next(descriptions, None)
    for planned in run.plan:
        if found is not None and found.id == planned.id:
            # A model that abstained may have written so: that is no caption either.
            yield found.id, None if found.abstained else found.text, "abstained" if found.abstained else "empty"
            found = next(descriptions, None)
        else:
            yield planned.id, None, "failed" if planned.id in failed else "not described yet"
    if found is not None:
        raise ExportError(f"{run.folder}: its descriptions are not in its plan's order, from {found.id!r} on")


def _in_order(run: BatchRun, order: Path, notes: list[str]) -> Iterator[tuple[str, str | None, str]]:
    """The same of each id of the ground truth. The texts alone are in memory, about 400 bytes an image."""
    ids = ground_truth(order)
    wanted, extra = set(ids), Tally()
    held: dict[str, tuple[str | None, str]] = {}
    for id_, text, why in _in_plan(run):
        if id_ in wanted:
            held[id_] = text, why
        else:
            extra.add(id_, "ids")
    if extra.count:
        notes.append(f"{extra.count:,} ids are not in {order}, left out; the first is {extra.first!r}")
    if not held:
        raise ExportError(f"no id of {order} is in the run: there the first is {ids[0]!r}, here {extra.first!r}")
    yield from ((id_, *held.get(id_, (None, "not in the run"))) for id_ in ids)


def _filled(
    captions: Iterable[tuple[str, str | None, str]], empty: str | None, lacking: Tally
) -> Iterator[tuple[str, str]]:
    """The captions with `empty` where there is none. Raises ExportError at the end where it is None and one lacks."""
    rows = 0
    for id_, text, why in captions:
        rows += 1
        if text is None or not text.strip():
            lacking.add(id_, why)
            yield id_, empty or "-"  # the file is not kept where nothing is given to be written
        else:
            yield id_, text
    if lacking.count and empty is None:
        raise ExportError(
            f"{lacking.count:,} of {rows:,} ids have no caption: {lacking.told()}. A submission needs them all: "
            "describe them (python cli.py batch ... --retry-failed), or say what to write with --empty TEXT"
        )
