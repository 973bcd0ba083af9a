"""What can go wrong with a job. Every message is one line: what, and what to do."""

from __future__ import annotations


class JobError(Exception):
    """Base of the errors of jobs."""


class UploadRefused(JobError):  # noqa: N818 - the name says what is wrong, as in the rest of the tree
    """What was uploaded cannot be made a job of as it is."""


class UploadTooLarge(JobError):  # noqa: N818
    """More than a job may have: images, bytes, bytes once unpacked."""


class TooManyJobs(JobError):  # noqa: N818
    """As many jobs wait as may."""


class NoRoom(JobError):  # noqa: N818
    """The disk is full, or has less left than it must."""


class NoSuchJob(JobError):  # noqa: N818
    """There is no job of that name, or it is somebody else's."""


class WrongState(JobError):  # noqa: N818
    """What is asked does not go with where the job stands."""


class JobsInUse(JobError):  # noqa: N818
    """Another service works in the folder."""
