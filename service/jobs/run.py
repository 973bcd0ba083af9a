"""The process of one job: the batch runner over its images, below the service in the eyes of the system.

    python -m service.jobs.run FOLDER

Standard input is the service's end of a pipe: when it closes, the service is gone, and this process goes too; what was
committed is kept. What came of it is one line of JSON on standard output, all else goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from batch.errors import BatchError, RunBusy, RunStopped
from batch.runner import Job as BatchJob
from batch.runner import run_batch
from batch.stopping import Stop
from batch.summary import Summary
from batch.types import Item, Unusable
from batch.workers.choose import Crew
from configs import ConfigError, parse
from imaging import ImageError
from indexer.errors import IndexerError
from indexer.images import FileImage, ZipImage
from rag.config import Settings
from rag.errors import RagError
from rag.types import Request
from service.jobs.shelf import OUT, UPLOADS, read_images, read_job
from service.jobs.types import JobAsked, JobSettings, Stored
from vlm.errors import VlmError

_BUSY_FOR_S = 60.0
"""How long the process of a service that is gone may take to let go of the job."""

_KEPT = "What was done is kept"
"""What every RunStopped says, before it says how to go on from the command line."""

_STAMP = "stored"
"""The stamp of every image: a stored file never changes."""


@dataclass(frozen=True)
class Ended:
    """How a session of a job ended. `left` images have no outcome yet; `reason` says why it cannot go on."""

    left: int = 0
    reason: str | None = None


class JobImages:
    """The images of a job as the batch runner's Input."""

    def __init__(self, folder: Path, asked: JobAsked) -> None:
        self.name = folder.name
        self.notes: Sequence[str] = ()
        self._folder = folder
        self._asked = asked

    def __iter__(self) -> Iterator[Item | Unusable]:
        asked = self._asked
        for image in read_images(self._folder):
            where = (ref_of(self._folder, image),)
            request = Request(image.id, where, asked.task, asked.question, asked.article, asked.labels, asked.schema)
            yield Item(request, _STAMP)


def ref_of(folder: Path, image: Stored) -> str:
    """Where an image of a job lies, as records of the run name it."""
    file = str((folder / UPLOADS / image.file).absolute())
    return str(FileImage(file) if image.member is None else ZipImage(file, image.member))


def work(folder: Path, limits: JobSettings, stop: Stop) -> Summary:
    """Describes what has no description yet. Raises what `run_batch` raises, and ConfigError for old settings."""
    job = read_job(folder)
    settings = parse(Settings, job.settings, f"settings of job {job.id}")
    batch = BatchJob(JobImages(folder, job.asked), settings, folder / OUT, limits.block)
    give_up = time.monotonic() + _BUSY_FOR_S
    while True:
        try:
            return run_batch(batch, Crew(workers=limits.workers).open, _tell, stop=stop)
        except RunBusy:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.2)


def main(folder: Path, limits: JobSettings) -> int:
    """Runs a job to its end; the exit code is 0 where it is done or was stopped, else 2."""
    os.nice(limits.nice)
    threading.Thread(target=_end_with_the_service, daemon=True).start()
    stop = Stop()
    try:
        with stop.by_signals(_tell):
            ended = Ended(work(folder, limits, stop).tally.left)
    except RunStopped as error:
        ended = Ended(reason=f"{str(error).partition(_KEPT)[0].strip()} {_KEPT}: resume the job to go on")
    except (BatchError, ConfigError, ImageError, IndexerError, RagError, VlmError) as error:
        ended = Ended(reason=str(error))
    print(json.dumps(asdict(ended)), flush=True)
    return 0 if ended.reason is None else 2


def _end_with_the_service() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), JobSettings.model_validate_json(sys.argv[2])))
