"""Jobs: asked for, run one at a time, gone on with after a restart, cancelled, deleted.

What was answered is on the disk before it is: a job that was accepted is there whole, one that was cancelled does not
begin again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rag.config import Settings
from service.errors import public
from service.jobs import results, shelf
from service.jobs.ends import after, now_utc
from service.jobs.errors import JobsInUse, NoRoom, NoSuchJob, TooManyJobs, WrongJobState
from service.jobs.process import COMMAND, Ended, JobProcess
from service.jobs.results import Counted
from service.jobs.shelf import Shelf
from service.jobs.types import OPEN, Job, JobAsked, JobFile, JobSettings, JobView, Standing, State

_LOCK = "jobs.lock"
_STOPS_WITHIN_S, _DIES_WITHIN_S = 30.0, 10.0
_SWEPT_EVERY_S = 3600.0
_log = logging.getLogger(__name__)


class Jobs:
    """All jobs of a folder. Every method may be called from any thread, none from an event loop.

    `command` is what runs a job's process.
    """

    def __init__(self, root: Path, limits: JobSettings, command: Sequence[str] = COMMAND) -> None:
        self.limits = limits
        self._command = command
        self._shelf = Shelf(root)
        self._changed = threading.Condition()
        self._jobs: dict[str, Job] = {}
        self._standings: dict[str, Standing] = {}
        self._queue: deque[str] = deque()
        self._at_work: tuple[str, JobProcess] | None = None
        self._making = 0
        self._closing = False

    @contextmanager
    def running(self) -> Iterator[None]:
        """Goes on with what was under way. At the end what runs is stopped, and kept. Raises JobsInUse."""
        from filelock import FileLock, Timeout

        lock = FileLock(self._shelf.root / _LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise JobsInUse(
                f"{self._shelf.root}: another service works in it. Give this one a folder of its own"
            ) from None
        worker = threading.Thread(target=self._work, name="jobs", daemon=True)
        try:
            self._take_up()
            worker.start()
            yield
        finally:
            self._close()
            worker.join()
            lock.release()

    def create(
        self, owner: str, asked: JobAsked, settings: Settings, options: Mapping[str, Any],
        uploads: Sequence[JobFile], archive: JobFile | None = None,
    ) -> JobView:  # fmt: skip
        """A new job over these files; once this returns, it is on the disk. Its settings are those of the pipeline.

        Raises UploadRefused, UploadTooLarge, TooManyJobs and NoRoom; nothing is left of it then.
        """
        with self._place(new=True), self._shelf.making() as (id_, folder):
            images, notes = shelf.store(folder, uploads, archive, self.limits)
            job = Job(id_, owner, now_utc(), asked, options, settings.model_dump(mode="json"), images, tuple(notes))
            shelf.write_job(folder, job)
        with self._changed:
            self._jobs[id_], self._standings[id_] = job, Standing()
            self._queue.append(id_)
            self._changed.notify_all()
            return self._view(job)

    def all(self, owner: str) -> list[JobView]:
        """The jobs that an owner may see, newest first."""
        with self._changed:
            seen = [job for job in self._jobs.values() if _may_see(owner, job)]
        return [view for job in reversed(seen) if (view := self._seen(job)) is not None]

    def counted(self, state: State) -> int:
        """How many jobs are in a state, whoever asked for them."""
        with self._changed:
            return sum(standing.state == state for standing in self._standings.values())

    def get(self, id_: str, owner: str) -> JobView:
        """A job as it stands. Raises NoSuchJob."""
        view = self._seen(self._job(id_, owner))
        if view is None:
            raise NoSuchJob(_NONE)
        return view

    def records(self, id_: str, owner: str) -> Iterator[dict[str, Any]]:
        """What is committed of it, as records. Raises NoSuchJob at once, RunDamaged on the way."""
        return results.records(self._shelf.folder(self._job(id_, owner).id))

    def failures(self, id_: str, owner: str) -> Iterator[dict[str, Any]]:
        """What failed of it, and why. Raises as `records`."""
        return results.failures(self._shelf.folder(self._job(id_, owner).id))

    def cancel(self, id_: str, owner: str) -> JobView:
        """Stops a job that is not over; what is described is kept. Raises NoSuchJob, WrongJobState and NoRoom."""
        job = self._job(id_, owner)
        with self._changed:
            self._check_state(job, OPEN, "is over already")
            self._save(job.id, replace(self._standings[job.id], state="cancelled", ended=now_utc()))
            with suppress(ValueError):
                self._queue.remove(job.id)
            if self._at_work is not None and self._at_work[0] == job.id:
                self._at_work[1].ask_to_stop(_STOPS_WITHIN_S)
        return self.get(id_, owner)

    def resume(self, id_: str, owner: str) -> JobView:
        """Goes on with a job that was cancelled or failed. Raises NoSuchJob, WrongJobState, TooManyJobs and NoRoom."""
        job = self._job(id_, owner)
        with self._place(), self._changed:
            self._check_state(job, ("cancelled", "failed"), "is not at rest, or is done")
            self._save(job.id, Standing(started=self._standings[job.id].started))
            self._queue.append(job.id)
            self._changed.notify_all()
        return self.get(id_, owner)

    def delete(self, id_: str, owner: str) -> None:
        """Removes a job and all that is of it, whatever its state. Raises NoSuchJob and NoRoom."""
        self._remove(self._job(id_, owner))

    # -- what others may see

    def _job(self, id_: str, owner: str) -> Job:
        with self._changed:
            job = self._jobs.get(id_)
        if job is None or not _may_see(owner, job):
            raise NoSuchJob(_NONE)
        return job

    def _seen(self, job: Job) -> JobView | None:
        """None where it was deleted meanwhile."""
        with self._changed:
            return self._view(job) if job.id in self._jobs else None

    def _view(self, job: Job) -> JobView:
        standing = self._standings[job.id]
        at_work = self._at_work is not None and self._at_work[0] == job.id
        if standing.state not in OPEN and not at_work:
            return JobView(job, standing, standing.described, standing.failed)
        told = results.counted(self._shelf.folder(job.id))
        ahead = 0
        if standing.state == "queued":
            ahead = self._queue.index(job.id) + (self._at_work is not None) if job.id in self._queue else 0
        rate = told.images_per_s if at_work else None
        return JobView(job, standing, told.described, told.failed, ahead, rate)

    def _check_state(self, job: Job, states: Sequence[str], wrong: str) -> None:
        standing = self._standings.get(job.id)
        if standing is None:
            raise NoSuchJob(_NONE)
        if standing.state not in states:
            raise WrongJobState(f"job {job.id} {wrong}: it is {standing.state}")

    @contextmanager
    def _place(self, new: bool = False) -> Iterator[None]:
        """A place among the jobs that may wait or run; of a `new` one, among those that are there.

        Raises TooManyJobs and NoRoom.
        """
        with self._changed:
            kept = len(self._jobs) + self._making
            if new and kept >= self.limits.max_kept:
                raise NoRoom(f"{kept:,} jobs are kept, as many as may (jobs.max_kept). Delete old ones")
            open_ = sum(standing.state in OPEN for standing in self._standings.values()) + self._making
            if open_ >= self.limits.max_open:
                raise TooManyJobs(f"{open_} jobs wait or run, as many as may. Try again when one is done", 60)
            self._making += 1
        try:
            yield
        finally:
            with self._changed:
                self._making -= 1

    # -- the one thread that runs them

    def _take_up(self) -> None:
        """What is on the disk, with what was under way in the queue."""
        for job, standing in self._shelf.all():
            self._jobs[job.id], self._standings[job.id] = job, standing
            if standing.state in OPEN:
                self._standings[job.id] = replace(standing, state="queued")
                self._queue.append(job.id)
            elif standing.state == "done":
                self._shelf.drop_uploads(job.id)  # a kill came between

    def _work(self) -> None:
        swept = -_SWEPT_EVERY_S
        while True:
            if time.monotonic() - swept > _SWEPT_EVERY_S:
                self._sweep()
                swept = time.monotonic()
            with self._changed:
                if not self._queue and not self._closing:
                    self._changed.wait(_SWEPT_EVERY_S)
                if self._closing:
                    return
                id_ = self._queue.popleft() if self._queue else None
            if id_ is not None:
                self._run(id_)

    def _run(self, id_: str) -> None:
        """One session of a job."""
        folder = self._shelf.folder(id_)
        with self._changed:
            standing = self._standings.get(id_)
            if standing is None or standing.state != "queued" or self._closing:
                return
            before = results.counted(folder)
            self._note(id_, replace(standing, state="running", started=standing.started or now_utc(), ended=None))
            try:
                process = JobProcess(self._command, folder, self.limits)
            except OSError as error:
                self._conclude(id_, before, Ended(None, f"its process cannot be begun: {error.strerror}", ""))
                return
            self._at_work = (id_, process)
        _log.info("job %s: begun", id_)
        ended = process.wait()
        with self._changed:
            self._at_work = None
            self._conclude(id_, before, ended)

    def _conclude(self, id_: str, before: Counted, ended: Ended) -> None:
        if id_ not in self._jobs:
            return
        running = self._standings[id_].state == "running"
        folder = self._shelf.folder(id_)
        standing = after(self._standings[id_], ended, before, results.counted(folder), self._closing)
        if standing.reason is not None:
            _log.error("job %s: %s; what its process said is in %s", id_, standing.reason, folder / shelf.LOG)
            standing = replace(standing, reason=self._public(id_, standing.reason))
        self._note(id_, standing)
        if standing.state == "done":
            self._shelf.drop_uploads(id_)
        elif standing.state == "queued" and running and not self._closing:
            _log.warning("job %s: its process ended by %s with images left; it goes on", id_, ended.how)
            self._queue.appendleft(id_)
        _log.info("job %s: %s, %d described, %d failed", id_, standing.state, standing.described, standing.failed)

    def _save(self, id_: str, standing: Standing) -> None:
        """Writes down where a job stands, then lets it be seen. Raises NoRoom."""
        try:
            self._shelf.save(id_, standing)
        except OSError as error:
            raise NoRoom(f"job {id_} cannot be written down: {error.strerror}. Nothing was changed") from error
        self._standings[id_] = standing

    def _note(self, id_: str, standing: Standing) -> None:
        """The same of what goes on by itself: without the disk it is known until the service ends, and done again."""
        try:
            self._save(id_, standing)
        except NoRoom as error:
            _log.error("%s", error)
            self._standings[id_] = standing

    def _remove(self, job: Job) -> None:
        with self._changed:
            if self._jobs.pop(job.id, None) is None:
                raise NoSuchJob(_NONE)
            standing = self._standings.pop(job.id)
            with suppress(ValueError):
                self._queue.remove(job.id)
            process = self._at_work[1] if self._at_work is not None and self._at_work[0] == job.id else None
        if process is not None:
            process.kill()
            process.over.wait(_DIES_WITHIN_S)
        try:
            self._shelf.drop(job.id)
        except OSError as error:
            with self._changed:
                self._jobs[job.id] = job
                self._standings[job.id] = replace(standing, state="cancelled", ended=now_utc())
            raise NoRoom(f"job {job.id} cannot be deleted: {error.strerror}. It was stopped") from error

    def _sweep(self) -> None:
        """Deletes what ended long ago."""
        before = (datetime.now(UTC) - timedelta(days=self.limits.keep_days)).isoformat(timespec="seconds")
        with self._changed:
            old = [self._jobs[id_] for id_, at in self._standings.items() if at.ended is not None and at.ended < before]
        for job in old:
            with suppress(NoSuchJob, NoRoom):
                self._remove(job)
                _log.info("job %s: deleted, %g days after its end", job.id, self.limits.keep_days)

    def _public(self, id_: str, reason: str) -> str:
        """A reason without where this machine keeps the job, or anything else."""
        folder = self._shelf.folder(id_)
        return public(reason.replace(str(folder.absolute()), "job").replace(str(folder), "job"))

    def _close(self) -> None:
        with self._changed:
            self._closing = True
            if self._at_work is not None:
                self._at_work[1].ask_to_stop(_STOPS_WITHIN_S)
            self._changed.notify_all()


_NONE = "there is no job of this id. See GET /batches"


def _may_see(owner: str, job: Job) -> bool:
    """Whoever asked for it; everybody where there are no keys, or were none."""
    return not owner or job.owner in ("", owner)
