"""What a job is, where it stands, and what jobs may take of the machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, BinaryIO, Literal, get_args

from pydantic import Field

from configs import StrictModel
from rag.prompts import Task

State = Literal["queued", "running", "done", "failed", "cancelled"]
"""`queued` and `running` go on by themselves, after a restart too; `failed` and `cancelled` when they are resumed."""

STATES: tuple[State, ...] = get_args(State)
OPEN: tuple[State, ...] = ("queued", "running")

MOST_FILES = 200
"""Of one job's uploads: each is an open file, or up to a MiB of memory, until the job is stored. A zip is one."""


class JobSettings(StrictModel):
    """Limits of one job (how many images, MiB of one image once unpacked, MiB of all uploads and of all that is packed
    in them, seconds until they have arrived), of all jobs (how many are received at once, may wait or run, may be
    there, MiB that they leave on the disk), and how a job is run: as `batch` has `workers` and `block`, `nice` below
    the service.

    What has ended is deleted after `keep_days`.
    """

    max_images: Annotated[int, Field(ge=1, le=65_535)]
    max_image_mib: Annotated[int, Field(ge=1)]
    max_total_mib: Annotated[int, Field(ge=1)]
    upload_s: Annotated[float, Field(gt=0)]
    uploads_at_once: Annotated[int, Field(ge=1)]
    max_open: Annotated[int, Field(ge=1)]
    max_kept: Annotated[int, Field(ge=1)]
    min_free_mib: Annotated[int, Field(ge=0)]
    workers: Annotated[int, Field(ge=1)] | None
    block: Annotated[int, Field(ge=1)]
    nice: Annotated[int, Field(ge=0, le=19)]
    keep_days: Annotated[float, Field(gt=0)]


@dataclass(frozen=True)
class JobFile:
    """A file of a request: the name that the client gave it, and its bytes, from where they stand on."""

    name: str
    file: BinaryIO


@dataclass(frozen=True)
class JobAsked:
    """What is asked of every image of a job, as `rag.types.Request` has it."""

    task: Task = "caption"
    question: str = ""
    labels: tuple[str, ...] = ()
    schema: str | None = None
    article: str | None = None


@dataclass(frozen=True)
class Stored:
    """An image of a job. `name` is what the client called it, or its path in the zip; `id` is made of it and unique.

    `file` is a name of our own in the job's folder of uploads, `member` the image's place in it where it is a zip.
    """

    id: str
    name: str
    file: str
    member: str | None = None


@dataclass(frozen=True)
class Job:
    """What a job was made with, which never changes.

    `owner` is the name of the key that asked for it, empty where there are no keys; `options` are as the client gave
    them, `settings` what became of them; `notes` say what of its uploads was left out.
    """

    id: str
    owner: str
    created: str
    asked: JobAsked
    options: Mapping[str, Any]
    settings: Mapping[str, Any] = field(repr=False)
    images: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Standing:
    """Where a job stands, as it is kept beside it. Times are UTC, ISO 8601; `reason` says why it failed.

    `deaths` counts processes that died since anything was last described. `described` and `failed` are of a job that
    is at rest; of one that runs its ledger tells them.
    """

    state: State = "queued"
    started: str | None = None
    ended: str | None = None
    reason: str | None = None
    deaths: int = 0
    described: int = 0
    failed: int = 0


@dataclass(frozen=True)
class JobView:
    """A job as its owner may see it. `ahead` counts the jobs before it; rates are of the session at work."""

    job: Job
    standing: Standing
    described: int
    failed: int
    ahead: int = 0
    images_per_s: float | None = None

    @property
    def left(self) -> int:
        """Images that have neither a description nor a failure."""
        return self.job.images - self.described - self.failed

    @property
    def seconds_left(self) -> float | None:
        """By the rate so far; None where none is known."""
        return round(self.left / self.images_per_s, 1) if self.images_per_s else None
