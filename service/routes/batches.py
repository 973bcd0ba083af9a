"""Jobs: many images in, records out as they come; a job outlives the request, the connection and the service."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, UploadFile
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from batch.errors import BatchError
from service.asked import Choice, Label, Question, SchemaText
from service.errors import CannotDescribe
from service.jobs import JobFile, JobView
from service.jobs.types import MOST_FILES
from service.problems import documented
from service.routes.common import READ_REFUSED, REFUSED, ServiceHere, owner
from service.routes.examples import DESCRIPTION
from service.routes.forms import MULTIPART
from service.service import Service

router = APIRouter(prefix="/batches", tags=["batches"])
JobId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="As `POST /batches` answered it.")]
_LINES = "application/jsonl"


class BatchForm(Choice):
    """Images, as files or in a zip or both, and what is asked of each; with no question it is described."""

    image: Annotated[
        list[UploadFile],
        Field(default_factory=list, max_length=MOST_FILES, description="The image files; more of them in a zip."),
    ]
    archive: Annotated[UploadFile | None, Field(description="A zip of images. It is not unpacked.")] = None
    question: Annotated[Question | None, Field(description="What to answer about each image.")] = None
    labels: Annotated[
        list[Label], Field(max_length=50, default_factory=list, description="Answers to choose from; repeat it.")
    ]
    json_schema: Annotated[
        SchemaText | None, Field(alias="schema", description="A JSON Schema: copy its fields from each document.")
    ] = None
    article: Annotated[str | None, Field(max_length=200, description="The case or PMCID of all of them.")] = None

    def options(self) -> dict[str, Any]:
        """What the client asked for, as it is said again."""
        given = self.model_dump(exclude={"image", "archive"}, exclude_none=True, by_alias=True)
        return {key: value for key, value in given.items() if value != []}


class JobOut(BaseModel):
    """A job as it stands. Times are UTC. `ahead` counts the jobs before it; `images_per_s` and `seconds_left` are of
    one that runs; `reason` says why one failed; `notes` say what of the uploads was left out."""

    model_config = ConfigDict(extra="forbid")

    id: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    created: str
    started: str | None
    ended: str | None
    images: int
    described: int
    failed: int
    left: int
    ahead: int
    images_per_s: float | None
    seconds_left: float | None
    reason: str | None
    options: dict[str, Any]
    notes: list[str]

    @classmethod
    def of(cls, view: JobView) -> JobOut:
        """Of a job's view."""
        job, standing = view.job, view.standing
        return cls(
            id=job.id, state=standing.state, created=job.created, started=standing.started, ended=standing.ended,
            images=job.images, described=view.described, failed=view.failed, left=view.left, ahead=view.ahead,
            images_per_s=view.images_per_s, seconds_left=view.seconds_left, reason=standing.reason,
            options=dict(job.options), notes=list(job.notes),
        )  # fmt: skip


class JobsOut(BaseModel):
    """Jobs, newest first."""

    jobs: list[JobOut]


_JOB: dict[str, Any] = {
    "id": "0c5f7a1e9b3d4c6f8a2e1d0b9c8f7a6e", "state": "running", "created": "2026-11-26T07:00:00+00:00",
    "started": "2026-11-26T07:00:01+00:00", "ended": None, "images": 240, "described": 63, "failed": 1, "left": 176,
    "ahead": 0, "images_per_s": 4.2, "seconds_left": 41.9, "reason": None, "options": {"k": 3},
    "notes": ["archive: 2 files that are no images by their names"],
}  # fmt: skip
_OF_JOB = {"content": {"application/json": {"example": _JOB}}}
_FAILED = {"id": "case 7/scan", "image": "case 7/scan.png", "kind": "image", "reason": "not an image in a format read"}


def _lines_of(example: dict[str, Any], what: str) -> dict[int | str, dict[str, Any]]:
    content = {_LINES: {"schema": {"type": "string"}, "example": json.dumps(example)}}
    return {200: {"description": what, "content": content}, **_GONE}


_GONE = READ_REFUSED | documented(404, 503)


@router.post(
    "",
    status_code=202,
    form_limits={"max_files": MOST_FILES + 1},
    responses={202: _OF_JOB | {"headers": {"Location": {"schema": {"type": "string"}}}}, **REFUSED, **documented(507)},
)
def begin(request: Request, response: Response, service: ServiceHere, form: Annotated[BatchForm, MULTIPART]) -> JobOut:
    """Describe many images, one after another, below what others ask. Answered once all of it is on the disk."""
    asked = service.offer.each(form, form.question, form.labels, form.json_schema, form.article)
    images = [JobFile(file.filename or "", file.file) for file in form.image]
    archive = None if form.archive is None else JobFile(form.archive.filename or "", form.archive.file)
    view = service.begin_job(owner(request), asked, form.options(), images, archive)
    response.headers["Location"] = f"/batches/{view.job.id}"
    return JobOut.of(view)


@router.get("", responses={200: {"content": {"application/json": {"example": {"jobs": [_JOB]}}}}, **READ_REFUSED})
def jobs(request: Request, service: ServiceHere) -> JobsOut:
    """The jobs of this key, newest first."""
    return JobsOut(jobs=[JobOut.of(view) for view in service.jobs.all(owner(request))])


@router.get("/{id}", responses={200: _OF_JOB, **_GONE})
def job(request: Request, service: ServiceHere, id: JobId) -> JobOut:  # noqa: A002 - it is the path's name for it
    """A job as it stands."""
    return JobOut.of(service.jobs.get(id, owner(request)))


@router.get("/{id}/records", response_class=Response, responses=_lines_of(DESCRIPTION, "A record a line."))
def records(request: Request, service: ServiceHere, id: JobId) -> Response:  # noqa: A002
    """The records that are committed by now, in the order of the images' names."""
    return _streamed(service, service.jobs.records(id, owner(request)))


@router.get("/{id}/failures", response_class=Response, responses=_lines_of(_FAILED, "An image a line."))
def failures(request: Request, service: ServiceHere, id: JobId) -> Response:  # noqa: A002
    """The images that have no description, and why."""
    return _streamed(service, service.jobs.failures(id, owner(request)))


@router.post("/{id}/cancel", responses={200: _OF_JOB, **_GONE, **documented(409, 507)})
def cancel(request: Request, service: ServiceHere, id: JobId) -> JobOut:  # noqa: A002
    """Stop a job. What is described by then is kept."""
    return JobOut.of(service.jobs.cancel(id, owner(request)))


@router.post("/{id}/resume", responses={200: _OF_JOB, **_GONE, **documented(409, 507)})
def resume(request: Request, service: ServiceHere, id: JobId) -> JobOut:  # noqa: A002
    """Go on with a job that was cancelled or failed."""
    return JobOut.of(service.jobs.resume(id, owner(request)))


@router.delete("/{id}", status_code=204, responses=_GONE | documented(507))
def delete(request: Request, service: ServiceHere, id: JobId) -> None:  # noqa: A002
    """Remove a job with its records; one that runs is stopped first."""
    service.jobs.delete(id, owner(request))


def _streamed(service: Service, found: Iterator[dict[str, Any]]) -> Response:
    """JSON lines as they are read. What cannot be read at all is a problem; what breaks later ends the stream."""
    try:
        first = list(itertools.islice(found, 1))
    except BatchError as error:
        service.tell(str(error))
        raise CannotDescribe("the results of this job cannot be read; the log of the service says why") from error
    return StreamingResponse(_lines(itertools.chain(first, found)), media_type=_LINES)


def _lines(found: Iterable[dict[str, Any]]) -> Iterator[str]:
    for one in found:
        yield json.dumps(one, ensure_ascii=False) + "\n"
