"""What a build lends to the sources it opens."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.sources.chunking import Chunker
from indexer.types import TokenCounter


@dataclass(frozen=True)
class SourceContext:
    """`counter` measures the texts that become passages: the embedder of their space. None where there are no texts.

    `progress` says whether what is fetched over the network shows a bar on stderr (None: where that is a terminal).
    """

    counter: TokenCounter | None = None
    progress: bool | None = False

    @property
    def chunker(self) -> Chunker:
        """What cuts the texts. Raises ValueError where there is no counter."""
        if self.counter is None:
            raise ValueError("a source of texts needs the embedder that counts their tokens")
        return Chunker(self.counter)
