"""Jobs on the disk: a folder each, whole or not there.

    ID/job.json       what was asked; last of what is written before the folder gets its name
    ID/images.jsonl   the images: id, given name, stored file
    ID/uploads/       the images' files, under names of our own; gone when all are described
    ID/standing.json  where it stands
    ID/out/           the batch folder
    ID/log.txt        what the job's process said

Under a name that begins with a dot lies what is half made or half deleted, and goes away at the next start.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from batch.shards import put
from indexer.manifest import sync_folder
from service.jobs import archives
from service.jobs.errors import NoRoom, UploadRefused, UploadTooLarge
from service.jobs.names import ending, ids_of, shown
from service.jobs.types import Job, JobAsked, JobFile, JobSettings, Standing, Stored

JOB, IMAGES, STANDING, UPLOADS, OUT, LOG = "job.json", "images.jsonl", "standing.json", "uploads", "out", "log.txt"
_ID = re.compile(r"[0-9a-f]{32}")
_CHUNK = 1 << 20
_log = logging.getLogger(__name__)


class Shelf:
    """The folder of all jobs; made where it is not there, for this user's eyes alone."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True, mode=0o700)

    def folder(self, id_: str) -> Path:
        """The folder of a job; an id is never taken for a path."""
        if not _ID.fullmatch(id_):
            raise ValueError(f"{id_[:64]!r} is no job's id")
        return self.root / id_

    def all(self) -> Iterator[tuple[Job, Standing]]:
        """The jobs that are there, oldest first. What a killed service left half made or half deleted is removed."""
        found = []
        for folder in self.root.iterdir():
            if folder.name.startswith(".") and folder.is_dir():
                shutil.rmtree(folder, ignore_errors=True)
            elif _ID.fullmatch(folder.name):
                try:
                    found.append((read_job(folder), _read_standing(folder)))
                except (OSError, ValueError, TypeError, KeyError) as error:
                    _log.error("%s cannot be read as a job, and is left as it is: %s", folder, error)
        yield from sorted(found, key=lambda pair: (pair[0].created, pair[0].id))

    @contextmanager
    def making(self) -> Iterator[tuple[str, Path]]:
        """An id and a folder to fill; at the end the job is there, or nothing is. Raises NoRoom."""
        id_ = secrets.token_hex(16)
        half = self.root / f".{id_}.new"
        try:
            (half / UPLOADS).mkdir(parents=True, mode=0o700)
            half.chmod(0o700)
            yield id_, half
            for folder in (half / UPLOADS, half):
                sync_folder(folder)
            half.rename(self.root / id_)
            sync_folder(self.root)
        except OSError as error:
            raise NoRoom(f"the job cannot be stored: {error.strerror or error}") from error
        finally:
            shutil.rmtree(half, ignore_errors=True)

    def save(self, id_: str, standing: Standing) -> None:
        """Writes down where a job stands. Raises OSError."""
        put(json.dumps(asdict(standing)).encode(), self.folder(id_) / STANDING)

    def drop(self, id_: str) -> None:
        """Removes a job with all that is of it. Raises OSError where it cannot even be renamed."""
        gone = self.root / f".{id_}.gone"
        self.folder(id_).rename(gone)
        sync_folder(self.root)
        shutil.rmtree(gone, ignore_errors=True)

    def drop_uploads(self, id_: str) -> None:
        """Removes the images of a job that needs them no more: they may say who is on them."""
        shutil.rmtree(self.folder(id_) / UPLOADS, ignore_errors=True)


def write_job(folder: Path, job: Job) -> None:
    """Last of what a new job is made of."""
    put(json.dumps(asdict(job), ensure_ascii=False).encode(), folder / JOB)


def read_job(folder: Path) -> Job:
    """What a job was made with. Raises OSError, ValueError, TypeError and KeyError for what is none."""
    data = json.loads((folder / JOB).read_text(encoding="utf-8"))
    asked = JobAsked(**{**data["asked"], "labels": tuple(data["asked"]["labels"])})
    return Job(**{**data, "asked": asked, "notes": tuple(data["notes"])})


def read_images(folder: Path) -> list[Stored]:
    """The images of a job, in their order. Raises OSError and ValueError."""
    with (folder / IMAGES).open(encoding="utf-8") as lines:
        return [Stored(**json.loads(line)) for line in lines]


def store(
    folder: Path, uploads: Sequence[JobFile], archive: JobFile | None, limits: JobSettings
) -> tuple[int, list[str]]:
    """Keeps the files of a request under names of our own, synced, and the list of the images that are in them.

    Returns how many images there are, and lines about what was left out. Raises UploadTooLarge, UploadRefused,
    NoRoom and OSError.
    """
    room = _Room(folder / UPLOADS, limits)
    if len(uploads) > limits.max_images:
        raise UploadTooLarge(f"{len(uploads):,} images, over the limit of {limits.max_images:,} a job")
    kept: list[tuple[str, str, str | None]] = [
        (shown(one.name), room.keep(one, ending(one.name), limits.max_image_mib), None) for one in uploads
    ]
    notes: list[str] = []
    if archive is not None:
        file = room.keep(archive, ".zip", limits.max_total_mib)
        members, notes = archives.images_in(folder / UPLOADS / file, limits)
        kept += [(shown(member, whole=True), file, member) for member in members]
    if not kept:
        raise UploadRefused("no image was uploaded: give image (one or more files), archive (a zip), or both")
    if len(kept) > limits.max_images:
        raise UploadTooLarge(f"{len(kept):,} images, over the limit of {limits.max_images:,} a job")
    kept.sort(key=lambda one: one[0])  # as a batch over a folder goes, so that the same images come together
    ids = ids_of([name for name, _, _ in kept])
    lines = [json.dumps(asdict(Stored(id_, *one)), ensure_ascii=False) for id_, one in zip(ids, kept, strict=True)]
    room.sync()
    put("".join(f"{line}\n" for line in lines).encode(), folder / IMAGES)
    return len(kept), notes


class _Room:
    """Where a job's uploads go: counts their bytes, and syncs them all at once."""

    def __init__(self, folder: Path, limits: JobSettings) -> None:
        self._folder = folder
        self._left = limits.max_total_mib << 20
        self._total_mib = limits.max_total_mib
        self._min_free_mib = limits.min_free_mib
        self._files: list[Path] = []

    def keep(self, upload: JobFile, ending: str, most_mib: int) -> str:
        """The name under which the bytes of an upload are kept."""
        file = self._folder / f"{secrets.token_hex(16)}{ending}"
        size = 0
        with file.open("xb") as opened:
            while chunk := upload.file.read(_CHUNK):
                size += len(chunk)
                self._left -= len(chunk)
                if size > most_mib << 20:
                    raise UploadTooLarge(f"{shown(upload.name)!r} is over the limit of {most_mib:,} MiB a file")
                if self._left < 0:
                    raise UploadTooLarge(f"the uploads are over the limit of {self._total_mib:,} MiB a job")
                self._check_room()
                opened.write(chunk)
        self._files.append(file)
        return file.name

    def _check_room(self) -> None:
        free = shutil.disk_usage(self._folder).free >> 20
        if free < self._min_free_mib:
            raise NoRoom(f"the disk has {free:,} MiB left, jobs leave it {self._min_free_mib:,}. Delete old jobs")

    def sync(self) -> None:
        """Makes all of them durable."""
        for file in self._files:
            handle = os.open(file, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def _read_standing(folder: Path) -> Standing:
    """Where a job stands; at the beginning where that was never written down, or is damaged."""
    with suppress(OSError, ValueError, TypeError):
        return Standing(**json.loads((folder / STANDING).read_bytes()))
    return Standing()
