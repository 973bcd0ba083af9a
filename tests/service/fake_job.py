"""`service.jobs.run` with an engine that says how bright an image is: what runs the jobs of tests.

    python fake_job.py FOLDER LIMITS

A member of a zip whose name ends in a fault's name has that fault, as in `tests/batch/fakes.py`, and one that ends in
`-kills` kills the process; `BATCH_TEST_DELAY_S` says how long an image takes.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "batch"))

import fakes

import batch.runner
from rag.pipeline import Pipeline
from rag.types import Prepared, Request
from service.jobs import run
from service.jobs.types import JobSettings


class Deadly(Pipeline):
    """Kills its process over an image that is named so."""

    def prepare(self, requests: Sequence[Request]) -> Prepared:
        if any("-kills" in str(request.images[0]) for request in requests):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().prepare(requests)


def deadly_pipeline(settings: object, examples: object, tell: object = None) -> Pipeline:  # noqa: ARG001
    return fakes.pipeline_of(Deadly, settings)  # type: ignore[arg-type]


if __name__ == "__main__":
    batch.runner.open_pipeline = deadly_pipeline  # type: ignore[assignment]
    sys.exit(run.main(Path(sys.argv[1]), JobSettings.model_validate_json(sys.argv[2])))
