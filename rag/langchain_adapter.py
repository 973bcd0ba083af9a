"""How people compose Lumenscribe with what they have in LangChain.

`EvidenceRetriever` is a `BaseRetriever` over an index; `Describer` is a `Runnable` over the pipeline. A
`batch` of either is one batch of ours, not a thread an item.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnableConfig
from pydantic import ConfigDict

from imaging import load
from indexer import Index
from indexer.types import Evidence, Query
from rag.errors import RequestError
from rag.pipeline import Pipeline
from rag.retrieve import IMAGES
from rag.types import Description, Failure, Request, evidence_json

DescribeInput = Request | str | Path


class EvidenceRetriever(BaseRetriever):
    """The `k` nearest records of one vector space of an index, as Documents.

    A query is a text, or with `query_kind="image"` the path of an image. A Document's text is the caption or
    passage; its metadata are the fields of a Description's evidence.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    index: Index
    space: str = IMAGES
    query_kind: Literal["text", "image"] = "text"
    k: int = 3

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002 - LangChain passes it by name
    ) -> list[Document]:
        return self._documents([query])[0]

    def batch(
        self,
        inputs: list[str],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[list[Document]]:
        """All queries embedded and searched together."""
        return self._batch_with_config(self._search, inputs, config, return_exceptions=return_exceptions, **kwargs)

    def _search(self, queries: list[str]) -> list[list[Document] | Exception]:
        return list(self._documents(queries))

    def _documents(self, queries: Sequence[str]) -> list[list[Document]]:
        embedder = self.index.embedder_for(self.space)
        if self.query_kind == "image":
            vectors = embedder.embed_images([load(path) for path in queries])
        else:
            vectors = embedder.embed_texts(queries)
        found = self.index.search([Query(self.space, vector, self.k) for vector in vectors])
        return [[_document(evidence) for evidence in several] for several in found]


class Describer(Runnable[DescribeInput, Description]):
    """The pipeline as a Runnable: image paths or Requests in, Descriptions out."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    def invoke(self, input: DescribeInput, config: RunnableConfig | None = None, **kwargs: Any) -> Description:  # noqa: A002 - LangChain's name
        """Describes one image. Raises RequestError where it cannot be described."""
        return self.batch([input], config, **kwargs)[0]

    def batch(
        self,
        inputs: list[DescribeInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Description]:
        """Describes all inputs as one batch; failures are raised, or returned in their places."""
        return self._batch_with_config(self._describe, inputs, config, return_exceptions=return_exceptions, **kwargs)

    def _describe(self, inputs: list[DescribeInput]) -> list[Description | Exception]:
        requests = [_request(position, given) for position, given in enumerate(inputs)]
        outcomes = {id(outcome.request): outcome for outcome in self.pipeline.run(requests)}
        return [_raised(outcomes[id(request)]) for request in requests]


def _request(position: int, given: DescribeInput) -> Request:
    return given if isinstance(given, Request) else Request(f"{position}:{Path(given).stem}", (str(given),))


def _raised(outcome: Description | Failure) -> Description | Exception:
    return RequestError(outcome.reason) if isinstance(outcome, Failure) else outcome


def _document(evidence: Evidence) -> Document:
    metadata = evidence_json(evidence)
    return Document(page_content=metadata.pop("text"), id=evidence.id, metadata=metadata)
