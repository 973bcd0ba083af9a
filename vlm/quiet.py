"""Keeps the libraries' chatter off the user's terminal, by the name of what is silenced."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_NEEDLESS = {
    # On a CPU, bitsandbytes asks the hub for a faster kernel and goes on without it.
    "bitsandbytes.backends.cpu.ops": "Failed to load CPU gemm_4bit_forward",
    # INT8 multiplies in 16 bits whatever the inputs are; it says so once a multiplication.
    "bitsandbytes.autograd._functions": "MatMul8bitLt: inputs will be cast",
}


class _Without(logging.Filter):
    def __init__(self, start: str) -> None:
        super().__init__()
        self._start = start

    def filter(self, record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(self._start)


@contextmanager
def quiet() -> Iterator[None]:
    """Silences transformers' progress bars and advice, and two needless warnings of bitsandbytes; errors stay."""
    from transformers.utils import logging as noise

    filters = {logging.getLogger(name): _Without(start) for name, start in _NEEDLESS.items()}
    for logger, needless in filters.items():
        logger.addFilter(needless)
    level, bars = noise.get_verbosity(), noise.is_progress_bar_enabled()
    noise.set_verbosity(logging.ERROR)
    if bars:
        noise.disable_progress_bar()
    try:
        yield
    finally:
        noise.set_verbosity(level)
        if bars:
            noise.enable_progress_bar()
        for logger, needless in filters.items():
            logger.removeFilter(needless)
