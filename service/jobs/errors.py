"""What can go wrong with a job, each a refusal that is answered as a problem."""

from __future__ import annotations

from service.errors import Busy, CannotKeep, CannotServe, NotThere, TooLarge, Unusable, WrongState


class UploadRefused(Unusable):
    """What was uploaded cannot be made a job of as it is."""


class UploadTooLarge(TooLarge):
    """More than a job may have: images, bytes, bytes once unpacked."""


class TooManyJobs(Busy):
    """As many jobs wait as may."""


class NoRoom(CannotKeep):
    """The disk is full, or has less left than it must."""


class NoSuchJob(NotThere):
    """There is no job of that name, or it is somebody else's."""


class WrongJobState(WrongState):
    """What is asked does not go with where the job stands."""


class JobsInUse(CannotServe):
    """Another service works in the folder."""
