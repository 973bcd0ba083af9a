"""What is fetched from web APIs for an index: the kinds of source that ask one, as types.

`fetched` is the folder where what was fetched stays, a folder of its own for each query: deleting that folder is
how the same query is asked anew. `url` is another address of the same API, for a mirror or a test.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

import configs

FETCHED = "data/fetched"

Text = Annotated[str, Field(min_length=1, pattern=r"\S")]
Url = Annotated[str, Field(pattern=r"^https?://\S+$")]
SafeUrl = Annotated[str, Field(pattern=r"^(https://|http://(127\.0\.0\.1|localhost)[:/])\S+$")]
"""Where a key is sent to: over https, or to this machine."""
Category = Annotated[str, Field(pattern=r"^[A-Za-z-]+(\.([A-Za-z-]+|\*))?$")]


class ArxivConfig(configs.StrictModel):
    """Abstracts of arXiv: those a `query` in its own language finds (`all:pneumothorax AND ti:segmentation`),
    in any of `categories` (`q-bio.QM`, `eess.*`), submitted in the years from `from_year` to `to_year`.

    At most `limit` results are fetched, `page_size` a request, the most relevant or the newest first.
    """

    holds: ClassVar[Literal["passages"]] = "passages"

    kind: Literal["arxiv"]
    query: Text | None = None
    categories: list[Category] = Field(default_factory=list)
    from_year: int | None = Field(default=None, ge=1991, le=2100)
    to_year: int | None = Field(default=None, ge=1991, le=2100)
    order: Literal["relevance", "newest"] = "relevance"
    limit: int = Field(default=1000, ge=1, le=30_000)
    page_size: int = Field(default=100, ge=1, le=2000)
    fetched: str = FETCHED
    source: str | None = None
    url: Url | None = None

    @model_validator(mode="after")
    def _asks_for_something(self) -> ArxivConfig:
        if self.query is None and not self.categories:
            raise ValueError("name a query, categories, or both")
        if self.from_year is not None and self.to_year is not None and self.from_year > self.to_year:
            raise ValueError("from_year is after to_year")
        return self

    @property
    def name(self) -> str:
        """The source's name: `source`, or arxiv."""
        return self.source or "arxiv"


class WikipediaConfig(configs.StrictModel):
    """Pages of Wikipedia in one `language`: those of `titles`, and the first `results` of each of `searches`."""

    holds: ClassVar[Literal["passages"]] = "passages"

    kind: Literal["wikipedia"]
    titles: list[Text] = Field(default_factory=list)
    searches: list[Text] = Field(default_factory=list)
    results: int = Field(default=10, ge=1, le=500)
    language: str = Field(default="en", pattern=r"^[a-z][a-z0-9-]*$")
    fetched: str = FETCHED
    source: str | None = None
    url: Url | None = None

    @model_validator(mode="after")
    def _asks_for_something(self) -> WikipediaConfig:
        if not self.titles and not self.searches:
            raise ValueError("name titles, searches, or both")
        return self

    @property
    def name(self) -> str:
        """The source's name: `source`, or wikipedia."""
        return self.source or "wikipedia"


class TavilyConfig(configs.StrictModel):
    """What a web search finds for each of `queries`, at most `max_results` pages each, of `include_domains` alone
    where there are any. The key is read from TAVILY_API_KEY; each query costs a credit of it.
    """

    holds: ClassVar[Literal["passages"]] = "passages"

    kind: Literal["tavily"]
    queries: list[Annotated[Text, Field(max_length=400)]] = Field(min_length=1)
    max_results: int = Field(default=5, ge=1, le=20)
    include_domains: list[Text] = Field(default_factory=list, max_length=300)
    fetched: str = FETCHED
    url: SafeUrl | None = None

    @property
    def name(self) -> str:
        """The source's name, which marks its passages as web evidence wherever they are shown."""
        return "web:tavily"


WebConfig = ArxivConfig | WikipediaConfig | TavilyConfig
"""The kinds of source on this page."""
