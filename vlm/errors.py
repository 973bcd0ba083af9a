"""What can go wrong with a model. Every message is one line: what, where, what to do."""

from __future__ import annotations


class VlmError(Exception):
    """Base of this room's errors."""


class UnknownModel(VlmError):  # noqa: N818 - the name says what is wrong, as in the rest of the tree
    """No model configuration of that name."""


class ModelNotFound(VlmError):  # noqa: N818
    """The model's files are not where the configuration says."""


class HubUnreachable(ModelNotFound):
    """The model's files are not on this machine and the hub does not answer."""


class ModelUnusable(VlmError):  # noqa: N818
    """The files are there but are not a model of this family, or are damaged."""


class UnsupportedQuantisation(VlmError):  # noqa: N818
    """This model cannot be quantised so on this machine."""


class AdapterNotFound(VlmError):  # noqa: N818
    """No adapter in that folder."""


class AdapterMismatch(VlmError):  # noqa: N818
    """The adapter was made for another model."""


class PromptError(VlmError):
    """What this model cannot take: a prompt too long or with too many images, labels that are no choice."""


class UnsupportedSchema(VlmError):  # noqa: N818
    """A JSON Schema that answers cannot be held to."""


class OutOfMemory(VlmError):  # noqa: N818
    """The model does not fit, even with a batch of one."""


class ServerUnavailable(VlmError):  # noqa: N818
    """The server cannot be reached, is too busy, or answers with what is no answer."""


class ServerTimeout(ServerUnavailable):
    """The server did not answer this request in time, however often it was asked; it may answer others."""


class UnsupportedByServer(VlmError):  # noqa: N818
    """What a server cannot do, or this installation cannot ask of one."""


class ServerRefused(VlmError):  # noqa: N818
    """The server does not take the key, or does not offer the model."""


class BenchError(VlmError):
    """What is asked for cannot be measured, or the process that measured it failed."""


def one_line(error: BaseException | str, limit: int = 200) -> str:
    """A library's error as one line of at most `limit` characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= limit else text[: limit - 1] + "…"
