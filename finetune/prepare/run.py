"""A source -> a folder to learn from: records read, images stored, copies found, groups split, all written.

A folder is whole once it has its report, which is written last. One that was stopped has its journal instead, and goes
on from there.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from batch.inputs.cells import is_text
from batch.shards import put
from finetune.errors import RecordsError
from finetune.prepare.copies import look_alikes
from finetune.prepare.found import Found, LeftOut, Origin
from finetune.prepare.images import stamps_of, store_images
from finetune.prepare.journal import JOURNAL, Journal, Stored
from finetune.prepare.leaks import Leak, Placed, leaks_of
from finetune.prepare.options import Options
from finetune.prepare.report import FORMAT, Report, Request, make_report, read_report
from finetune.prepare.sources import open_source
from finetune.prepare.splits import (
    DEV,
    TRAIN,
    assign,
    beside,
    grouped,
    in_order,
    keys_of,
    sample,
    shares,
    split_name,
)
from finetune.records import IMAGES, LEFT_OUT, REPORT, TrainingRecord, read_split, write_split
from indexer.images import ImageRef

LOCK = "prepare.lock"


class Progress(Protocol):
    """Is told how far a step is: what is done, how many, of how many."""

    def __call__(self, what: str, done: int, total: int) -> None: ...


@dataclass(frozen=True)
class Prepared:
    """A folder that is whole; `already` where nothing was left to do."""

    report: Report
    already: bool


@dataclass(frozen=True)
class _Read:
    """A source's records that can be used so far, and their images by text."""

    found: list[Found]
    left: list[LeftOut]
    refs: dict[str, ImageRef]
    stamps: dict[str, str]
    notes: list[str]


def prepare(source: str, out: Path, options: Options, progress: Progress) -> Prepared:
    """Makes the folder `out` of a source, or goes on with it; where it is whole already, says so.

    Raises RecordsError where the source has no record to learn from, the folder holds something else or cannot be
    written to, and what the readers of sources raise.
    """
    read = _read(open_source(source, options), options)
    request = Request(format=FORMAT, source=source, options=options.to_json(), records=_fingerprint(read))
    with _held(out):
        report = _whole(out, request)
        if report is not None:
            return Prepared(report, already=True)
        journal = _opened(out, request)
        try:
            report = _made(out, read, request, options, journal, progress)
        finally:
            journal.close()
        for file in out.glob(f"{JOURNAL}*"):
            file.unlink()
    return Prepared(report, already=False)


def _read(origin: Origin, options: Options) -> _Read:
    found: list[Found] = []
    left: list[LeftOut] = []
    seen: set[str] = set()
    for item in origin.records:
        if isinstance(item, LeftOut):
            left.append(replace(item, id=_printable(item.id), reason=_printable(item.reason)))
        elif not is_text("".join((item.id, item.question, item.answer, item.article or "", *item.labels))):
            left.append(LeftOut(_printable(item.id), "row", "holds half a character (a lone surrogate)"))
        elif item.id in seen:
            left.append(LeftOut(item.id, "id", "its id is that of an earlier record; each needs an id of its own"))
        else:
            seen.add(item.id)
            found.append(item)
    if not found:
        reason = f" The first: {left[0].id}: {left[0].reason}" if left else ""
        raise RecordsError(f"{origin.name}: none of its {len(left):,} records can be learned from.{reason}")
    if options.most is not None:
        found = sample(found, options.most, options.seed)
        if not found:
            raise RecordsError(
                f"{origin.name}: each article has more records than --max {options.most}; take a larger one"
            )
    refs = {str(ref): ref for record in found for ref in record.images}
    return _Read(found, left, refs, stamps_of(refs.values()), list(origin.notes))


def _made(out: Path, read: _Read, request: Request, options: Options, journal: Journal, progress: Progress) -> Report:
    """Stores the images, splits the records and writes them; the report last."""
    stored = store_images(read.refs, read.stamps, out, journal, lambda done: progress("images", done, len(read.refs)))
    usable, lost = _with_images(read.found, stored)
    if not usable:
        raise RecordsError(
            f"{request.source}: none of its {len(read.found):,} records has its images. The first: {lost[0].id}: "
            f"{lost[0].reason}"
        )
    hashes = {each.pixels: each.phash for each in stored.values() if each.phash} if options.look_alikes else {}
    pairs = look_alikes(hashes, journal.thumbnail, lambda done: progress("compared", done, len(hashes)))
    placed, leaked, leaks, notes = _placed(usable, stored, pairs, options)
    left = [*read.left, *lost, *leaked]
    report = make_report(request, placed, left, leaks, len(pairs), [*read.notes, *notes])
    if TRAIN not in report.splits:
        raise RecordsError(f"{request.source}: no record is left to train on. {_advice(options, leaked)}")
    _write(out, placed, left, report)
    return report


def _with_images(found: Sequence[Found], stored: Mapping[str, Stored]) -> tuple[list[Found], list[LeftOut]]:
    usable, lost = [], []
    for record in found:
        failed = next((stored[str(ref)].failed for ref in record.images if not stored[str(ref)].file), None)
        if failed is None:
            usable.append(record)
        else:
            lost.append(LeftOut(record.id, "image", _printable(failed)))
    return usable, lost


def _placed(
    usable: Sequence[Found], stored: Mapping[str, Stored], pairs: Sequence[tuple[str, str]], options: Options
) -> tuple[list[Placed], list[LeftOut], list[Leak], list[str]]:
    """The records in their splits, those that leak, what leaks, and notes."""
    images = [[stored[str(ref)] for ref in record.images] for record in usable]
    pixels = [tuple(each.pixels for each in several) for several in images]
    groups = grouped([keys_of(record, own) for record, own in zip(usable, pixels, strict=True)], pairs)
    given = [None if options.resplit else split_name(record.split) for record in usable]
    drawing = shares({split for split in given if split}, options)
    splits = assign(given, groups, drawing, options.seed)
    placed = [
        Placed(record, tuple(each.file for each in several), own, group, split)
        for record, several, own, group, split in zip(usable, images, pixels, groups, splits, strict=True)
    ]
    leaks = leaks_of(placed, pairs)
    leaked: list[LeftOut] = []
    if options.leaks == "leave_out":
        others = beside(splits, groups)
        leaked = [_leaked(one, placed[o]) for one, o in zip(placed, others, strict=True) if o is not None]
        placed = [one for one, other in zip(placed, others, strict=True) if other is None]
    return placed, leaked, leaks, _notes(placed, leaked, drawing.dev, options)


def _leaked(one: Placed, other: Placed) -> LeftOut:
    return LeftOut(
        one.record.id, "leak", f"is in train, and of one group ({one.group}) with {other.record.id} of {other.split}"
    )


def _notes(placed: Sequence[Placed], leaked: Sequence[LeftOut], dev: float, options: Options) -> list[str]:
    notes = []
    train = sum(one.split == TRAIN for one in placed)
    if len(leaked) > train:
        notes.append(f"leaks took {len(leaked):,} of {len(leaked) + train:,} train records. {_advice(options, leaked)}")
    if dev and not any(one.split == DEV for one in placed):
        notes.append("no record fell to dev: take another --seed or a larger --dev")
    if not any(one.record.article for one in placed) and any(one.files for one in placed):
        notes.append("no record names its article or case: only equal images and copies are kept on one side")
    return notes


def _advice(options: Options, leaked: Sequence[LeftOut]) -> str:
    if leaked:
        return "Draw new splits with --resplit, or keep the published ones as they are with --leaks keep"
    return "Take smaller --dev and --test" if not options.where else "Let --where take more"


def _write(out: Path, placed: Sequence[Placed], left: Sequence[LeftOut], report: Report) -> None:
    """Writes what was left out, the splits, and the report; images that no record has go."""
    named = {Path(file).name for one in placed for file in one.files}
    for file in (out / IMAGES).iterdir():
        if file.name not in named:
            file.unlink()
    lines = (json.dumps({"id": one.id, "why": one.why, "reason": one.reason}, ensure_ascii=False) for one in left)
    put("".join(f"{line}\n" for line in lines).encode(), out / LEFT_OUT)
    for split in reversed(in_order(report.splits)):
        write_split(out, split, (_record(one) for one in placed if one.split == split))
    put(f"{report.model_dump_json(indent=2)}\n".encode(), out / REPORT)


def _record(one: Placed) -> TrainingRecord:
    r = one.record
    return TrainingRecord(
        r.id, r.task, one.files, r.answer, r.question, r.labels, r.schema, r.article, r.kind, r.source, r.license,
        r.attribution,
    )  # fmt: skip


def _fingerprint(read: _Read) -> str:
    """16 hex digits over all that the records say, and the stamps of their images."""
    digest = hashlib.sha256()
    for r in read.found:
        images = [(text, read.stamps[text]) for text in map(str, r.images)]
        digest.update(repr((replace(r, images=(), source=""), images)).encode("utf-8", "backslashreplace"))
    return digest.hexdigest()[:16]


def _whole(out: Path, request: Request) -> Report | None:
    """The report of a folder that is whole and made of the same; None where there is something to do.

    Raises RecordsError where it was made of something else.
    """
    report = read_report(out)
    if report is None:
        return None
    if differs := request.differs(report.request):
        raise RecordsError(f"{out} was prepared otherwise: {differs}. Give another --out, or delete the folder")
    try:
        for split in report.splits:
            read_split(out, split)
    except RecordsError:  # something was deleted: made again
        (out / REPORT).unlink()
        return None
    return report


def _opened(out: Path, request: Request) -> Journal:
    """The journal of a folder that is begun here or goes on, be it with other options: its images are the same.

    Raises RecordsError where it is another source's, or holds what is not of here.
    """
    begun = (out / JOURNAL).is_file()
    others = sorted(file.name for file in out.iterdir() if file.name not in (LOCK, *_ours(out)))
    if others:
        raise RecordsError(f"{out} holds something else already ({others[0]}); give another --out, or an empty folder")
    journal = Journal(out / JOURNAL)
    known = journal.request() if begun else None
    if known is not None and (before := Request.model_validate_json(known)).source != request.source:
        journal.close()
        raise RecordsError(f"{out} was begun from {before.source}, and is not whole. Give another --out, or delete it")
    journal.begin(request.model_dump_json())
    return journal


def _ours(out: Path) -> Iterable[str]:
    """What may lie in a folder that was stopped, or lost something."""
    if not (out / JOURNAL).is_file() and not (out / LEFT_OUT).is_file():
        return ()
    return [
        file.name
        for file in out.iterdir()
        if file.name in (IMAGES, LEFT_OUT) or file.name.startswith(JOURNAL) or file.suffix in (".jsonl", ".part")
    ]


@contextmanager
def _held(out: Path) -> Iterator[None]:
    """Holds the folder for this process alone; says in one line what the disk did."""
    from filelock import FileLock, Timeout

    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / LOCK)
        lock.acquire(timeout=0)
        try:
            yield
        finally:
            lock.release()
            (out / LOCK).unlink(missing_ok=True)
    except Timeout:
        raise RecordsError(f"{out}: another `finetune prepare` is writing to it. Wait for its end") from None
    except (OSError, sqlite3.Error) as error:
        raise RecordsError(f"{out}: writing stopped: {error}. Mend it and run the same again: it goes on") from error


def _printable(text: str) -> str:
    """A text that can be written, whatever it held."""
    return text.encode("utf-8", "backslashreplace").decode()
