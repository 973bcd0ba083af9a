"""Jobs over the batch runner: uploads kept, each described once, in a process of its own; records as they come.

`Jobs` is the whole of it. `shelf` is what lies on the disk, `archives` what may be in a zip, `process` how a job's
process is held, `run` that process, `results` what it has come to.
"""

from service.jobs.errors import (
    JobsInUse,
    NoRoom,
    NoSuchJob,
    TooManyJobs,
    UploadRefused,
    UploadTooLarge,
    WrongJobState,
)
from service.jobs.jobs import Jobs
from service.jobs.types import Job, JobAsked, JobFile, JobSettings, JobView, Standing

__all__ = [
    "Job",
    "JobAsked",
    "JobFile",
    "JobSettings",
    "JobView",
    "Jobs",
    "JobsInUse",
    "NoRoom",
    "NoSuchJob",
    "Standing",
    "TooManyJobs",
    "UploadRefused",
    "UploadTooLarge",
    "WrongJobState",
]
