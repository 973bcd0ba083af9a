"""An answer's text while the model is still writing it. Imports transformers; import it where a model is at hand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch
from transformers import StoppingCriteria, StoppingCriteriaList, TextIteratorStreamer

T = TypeVar("T")


class _WhenAsked(StoppingCriteria):
    """Ends all rows once `event` is set."""

    def __init__(self, event: threading.Event) -> None:
        self._event = event

    def __call__(self, input_ids: torch.Tensor, scores: object, **_: object) -> torch.Tensor:  # noqa: ARG002
        return torch.full((len(input_ids),), self._event.is_set(), device=input_ids.device)


def pieces(tokenizer: Any, write: Callable[[dict[str, Any]], T]) -> Generator[str | T, None, None]:
    """Yields the texts that `write` makes transformers' `generate` say, and last what `write` returns.

    `write` runs in a thread of its own and passes the options that it is given to `generate`. Closing the iterator
    stops it at the next token. What `write` raises comes out of the iterator.
    """
    enough = threading.Event()
    streamer = TextIteratorStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True)
    options = {"streamer": streamer, "stopping_criteria": StoppingCriteriaList([_WhenAsked(enough)])}
    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(write, options)
        # Where `generate` fails, it never says that the text is over.
        written.add_done_callback(lambda _: streamer.on_finalized_text("", stream_end=True))
        try:
            for text in streamer:
                if text:
                    yield text
            yield written.result()
        finally:
            enough.set()
