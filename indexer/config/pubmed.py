"""What of PubMed goes into an index: a search of it, or all of it from files, as types."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

import configs
from indexer.config.web import FETCHED, Text

Year = Annotated[int, Field(ge=1500, le=2999)]

Retracted = Literal["leave_out", "mark"]
"""What to do with retracted articles and the notices that retract them: leave them out and list each with the reason,
or let them in, marked in their title. What is under an expression of concern is let in and marked always."""


class PubmedConfig(configs.StrictModel):
    """Abstracts that a search of PubMed finds, in its own words (`term`), fetched from NCBI.

    At most `limit` records, in the order NCBI gives them; beyond 9,999 the search is parted by date of entry, the
    newest first. `from_year` and `to_year` bound the year of publication. `mesh` appends the MeSH descriptors to
    the text. `retracted`: see `Retracted`. Needs NCBI_EMAIL in the environment; with NCBI_API_KEY there it is three
    times as fast.

    What was fetched stays in a folder of its own under `fetched` and is not asked for again: deleting that folder
    is how the same search is made anew. `url` is another address of the E-utilities, for a mirror or a test.
    """

    holds: ClassVar[Literal["passages"]] = "passages"

    kind: Literal["pubmed"]
    term: Text
    limit: int = Field(default=10_000, ge=1)
    from_year: Year | None = None
    to_year: Year | None = None
    mesh: bool = False
    retracted: Retracted = "leave_out"
    fetched: str = FETCHED
    source: str | None = None
    url: str | None = Field(default=None, pattern=r"^https?://")

    @model_validator(mode="after")
    def _years_in_order(self) -> PubmedConfig:
        if self.from_year is not None and self.to_year is not None and self.from_year > self.to_year:
            raise ValueError("from_year is after to_year")
        return self

    @property
    def name(self) -> str:
        """The source's name: `source`, or pubmed."""
        return self.source or "pubmed"


class PubmedBaselineConfig(configs.StrictModel):
    """All of PubMed: the yearly baseline and its update files (`pubmed26n0001.xml.gz`, ...) under the folder `path`.

    `mesh` appends the MeSH descriptors to the text. `retracted`: see `Retracted`.
    """

    holds: ClassVar[Literal["passages"]] = "passages"

    kind: Literal["pubmed_baseline"]
    path: str
    mesh: bool = False
    retracted: Retracted = "leave_out"
    source: str | None = None

    @property
    def name(self) -> str:
        """The source's name: `source`, or pubmed."""
        return self.source or "pubmed"
