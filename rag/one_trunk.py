"""A picture is read once where the index's embedder and the generator do it by the same trunk."""

from __future__ import annotations

from functools import partial

from indexer.embedders.clip import OpenClipEmbedder
from rag.retrieve import IMAGES, EvidenceFinder, Retriever
from vlm import Engine, Prompt, TransformersEngine


def read_once(engine: Engine, finder: EvidenceFinder) -> bool:
    """Has `finder` leave with the pictures what it reads of them, for the engine, where their trunks are the same.

    Whether they are. Reads the trunks' files, the first time. Raises IndexerError.
    """
    if not isinstance(finder, Retriever) or IMAGES not in finder.index.spaces:
        return False
    embedder, finder.reads = finder.index.embedder_for(IMAGES), None
    if not isinstance(engine, TransformersEngine) or not isinstance(embedder, OpenClipEmbedder):
        return False
    if engine.trunk is None or engine.trunk != embedder.trunk:
        return False
    finder.reads = partial(embedder.embed_images, keep=True)
    return True


def was_read_once(engine: Engine, prompt: Prompt) -> bool:
    """Whether the embedder read the pictures of this prompt for the engine, too."""
    return isinstance(engine, TransformersEngine) and engine.read_already(prompt)
