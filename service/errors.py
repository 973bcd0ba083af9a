"""What can go wrong in the service: it cannot be started, or a request is refused and told why."""

from __future__ import annotations

import re
from typing import ClassVar

from vlm.errors import one_line

_PLACE = re.compile(r"(?<![\w:/.])(?:/[^\s/:'\",;]+)+(?=/)")
"""The folders before the last part of a path that begins at the root of this machine."""


def public(error: BaseException | str) -> str:
    """What went wrong as one line for clients: without where on this machine files lie."""
    return _PLACE.sub("...", one_line(error, 400))


class ServiceError(Exception):
    """Base of this room's errors. Each is one line: what, where, what to do."""


class CannotServe(ServiceError):  # noqa: N818 - the name says what is wrong, as in the rest of the tree
    """The service cannot be started as it is configured."""


class Refusal(ServiceError):  # noqa: N818
    """A request that is not carried out, answered as a problem (RFC 9457).

    `kind` is the last part of the problem's type, `title` says the same for all of a kind, the message says what is
    wrong with this one. `retry_after_s` is when it may be asked again, None where that would change nothing.
    """

    status: ClassVar[int] = 400
    kind: ClassVar[str] = "bad-request"
    title: ClassVar[str] = "The request cannot be understood"

    def __init__(self, detail: str, retry_after_s: int | None = None) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class NoKey(Refusal):
    """Without a key, or with a wrong one."""

    status, kind, title = 401, "no-key", "A key is needed"


class WrongOrigin(Refusal):
    """Sent by the page of another site, or under a name that is not this machine's."""

    status, kind, title = 403, "wrong-origin", "Not asked from here"


class NotThere(Refusal):
    """What is asked for by its id is not there."""

    status, kind, title = 404, "not-found", "Not found"


class TooSlow(Refusal):
    """The client took too long over sending its body."""

    status, kind, title = 408, "too-slow", "The body did not arrive in time"


class TooLarge(Refusal):
    """A body over the limit."""

    status, kind, title = 413, "too-large", "The body is too large"


class Unusable(Refusal):
    """What was sent can be read and cannot be used."""

    status, kind, title = 422, "unusable", "The request cannot be carried out"


class UnusableImage(Unusable):
    """An image that cannot be read, or is too large."""

    kind, title = "unusable-image", "The image cannot be used"


class UnusableAnswer(Unusable):
    """The model's answer is not what was asked for."""

    kind, title = "unusable-answer", "The model did not answer as asked"


class TooMany(Refusal):
    """More requests than are allowed in the time."""

    status, kind, title = 429, "too-many-requests", "Too many requests"


class Busy(Refusal):
    """No place is free, or the service is starting or ending."""

    status, kind, title = 503, "busy", "The service is busy"


class TimedOut(Refusal):
    """The request was not carried out in the time allowed."""

    status, kind, title = 503, "timed-out", "The request took too long"


class CannotDescribe(Refusal):
    """The model, the index or a model's server cannot be used at present, whatever is asked."""

    status, kind, title = 503, "cannot-describe", "Describing is not possible at present"


class WrongState(Refusal):
    """What is asked does not go with how things stand."""

    status, kind, title = 409, "wrong-state", "Not as things stand"


class CannotKeep(Refusal):
    """The disk is full, or does not let it be written. Nothing was kept of the request."""

    status, kind, title = 507, "cannot-keep", "It cannot be kept"
