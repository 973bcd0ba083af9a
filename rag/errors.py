"""What can go wrong between a request and its description."""


class RagError(Exception):
    """Base of this room's errors. Each is one line: what, where, what to do."""


class RequestError(RagError):
    """A request that cannot be carried out as it was put."""


class TemplateError(RagError):
    """A prompt template that cannot be used."""


class AnswerError(RagError):
    """What a model wrote is not what was asked for."""


class CheckError(RagError):
    """A check, or a model that it asks, that cannot be used."""


class ContentError(RagError):
    """Word lists that do not have what is asked of them."""
