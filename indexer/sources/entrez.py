"""Searches and pages of PubMed records from NCBI's E-utilities, through Biopython's Entrez.

https://www.ncbi.nlm.nih.gov/books/NBK25499/ (parameters), https://www.ncbi.nlm.nih.gov/books/NBK25497/ (usage).
Knows nothing of what a search is for, nor of what becomes of its records.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from http.client import HTTPException
from typing import Any, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import quote, quote_plus
from urllib.request import Request, urlopen

from indexer.errors import SourceError
from indexer.sources.fetching import PASSING_STATUSES, Manners, PassingFaultError, Say, retry_after_s
from indexer.sources.pubmed_records import Record, deleted_pmids, record_of
from indexer.sources.pubmed_xml import PubmedXmlError, elements, parse

NCBI = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils"
TIMEOUT_S = 120.0

_T = TypeVar("_T")
_BIOPYTHON = threading.Lock()
_SHOWN = 200
_GONE = ("unable to obtain query", "cannot retrieve history", "can't fetch uids from history", "webenv")


class HistoryGoneError(Exception):
    """NCBI no longer has the search that a page was asked of; it keeps them for some hours."""


@dataclass(frozen=True)
class History:
    """A search as NCBI keeps it: `count` records match."""

    web_env: str
    query_key: str
    count: int


@dataclass(frozen=True)
class Page:
    """Records of one answer in order; `failures` say what of it could not be used."""

    records: tuple[Record, ...]
    failures: tuple[str, ...]


class EntrezClient:
    """Asks for PubMed records at the pace NCBI allows: 3 requests a second, 10 with an API key.

    The address and key are NCBI_EMAIL and NCBI_API_KEY of the environment. They are in the requests and nowhere
    else: not in Biopython's module, and cut from what NCBI answers (it quotes a key it refuses). `say` is told of each
    wait for another attempt. Raises SourceError where there is no address, which NCBI asks for.
    """

    def __init__(self, url: str = NCBI, manners: Manners | None = None, say: Say = lambda _: None) -> None:
        email, key = os.environ.get("NCBI_EMAIL", "").strip(), os.environ.get("NCBI_API_KEY", "").strip()
        if not email:
            raise SourceError(
                "PubMed: NCBI asks who is asking. Set the environment variable NCBI_EMAIL to your e-mail address "
                "(and NCBI_API_KEY, if you have a key, for 10 requests a second instead of 3)"
            )
        self._url = url.rstrip("/")
        self._manners = manners or _shared(10 if key else 3)
        self._say = say
        self._who = {"tool": "lumenscribe", "email": email, "api_key": key or None}
        self._secrets = [form(secret) for secret in (key, email) if secret for form in (str, quote, quote_plus)]

    def search(self, term: str, days: tuple[str, str] | None = None) -> History:
        """Searches, and leaves the result with NCBI. `days` ("2011/03/01") bound the date of entry into PubMed.

        Raises SourceError where NCBI does not answer, or refuses the term.
        """
        dates: Mapping[str, str] = {"datetype": "edat", "mindate": days[0], "maxdate": days[1]} if days else {}
        asked = {"usehistory": "y", "retmax": "0", "retmode": "xml", **dates, **self._who}
        return self._ask("the search", lambda entrez: entrez.esearch("pubmed", term, **asked), self._history)

    def page(self, history: History, start: int, size: int) -> Page:
        """The records `start` to `start + size` of a search, fewer where NCBI has lost some since.

        Raises HistoryGoneError where the search has to be made anew, else SourceError like `search`.
        """
        asked = {"WebEnv": history.web_env, "query_key": history.query_key, "retmode": "xml", **self._who}
        window = {"retstart": str(start), "retmax": str(size)}
        what = f"the records {start + 1} to {start + size}"
        return self._ask(what, lambda entrez: entrez.efetch("pubmed", **window, **asked), _page)

    def _ask(self, what: str, call: Callable[[Any], Any], read: Callable[[bytes], _T]) -> _T:
        def request() -> _T:
            body = self._body(call)
            try:
                return read(body)
            except PubmedXmlError as error:
                if _is_gone(error.said):
                    raise HistoryGoneError(self._shown(error.said)) from None
                raise PassingFaultError(self._shown(str(error))) from None

        return self._manners.ask(what, request, self._say)

    def _body(self, call: Callable[[Any], Any]) -> bytes:
        try:
            with _biopython(self._url) as entrez:
                handle = call(entrez)
            with handle:
                body = handle.read()
            return body.encode() if isinstance(body, str) else bytes(body)
        except HTTPError as error:
            raise self._fault(error) from None
        except (URLError, HTTPException, ConnectionError, TimeoutError, UnicodeDecodeError) as error:
            reason = error.reason if isinstance(error, URLError) else error
            shown = self._shown(str(reason) or type(error).__name__)
            raise PassingFaultError(f"the connection failed ({shown})") from None

    def _fault(self, error: HTTPError) -> Exception:
        with error:
            try:
                said = error.read().decode("utf-8", "replace")
            except (HTTPException, OSError):
                said = ""
        if error.code in PASSING_STATUSES:
            return PassingFaultError(f"HTTP {error.code}", retry_after_s(dict(error.headers.items())))
        if "api key" in said.lower():
            return SourceError("PubMed: NCBI does not accept the key in NCBI_API_KEY. Correct it, or unset it")
        if _is_gone(said):
            return HistoryGoneError(self._shown(said))
        return SourceError(f"PubMed: NCBI refuses the request with HTTP {error.code}: {self._shown(said)}")

    def _history(self, body: bytes) -> History:
        root = parse(body)
        said = "; ".join(" ".join(error.itertext()) for error in root.iter("ERROR"))
        count = root.findtext("Count", "")
        if root.tag != "eSearchResult" or said or not count.isdecimal():
            raise PubmedXmlError(f"a document <{root.tag}> without a count came: {said or 'no error in it'}")
        history = History(root.findtext("WebEnv", ""), root.findtext("QueryKey", ""), int(count))
        if history.count and not (history.web_env and history.query_key):
            raise PubmedXmlError("an answer without a WebEnv and a QueryKey came")
        return history

    def _shown(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "...")
        text = " ".join(text.split())
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _page(body: bytes) -> Page:
    records: list[Record] = []
    failures: list[str] = []
    deleted = 0
    for element in elements([body]):
        if element.tag == "DeleteCitation":
            deleted += len(deleted_pmids(element))
            continue
        try:
            records.append(record_of(element))
        except ValueError as error:
            failures.append(str(error))
    if not records and not failures and not deleted:
        raise PubmedXmlError("not one record came")
    return Page(tuple(records), tuple(failures))


def _is_gone(said: str) -> bool:
    lower = said.lower()
    # The 9,999 that can be paged through (see pubmed_plan) are named in a like error, which a new search cannot mend.
    return "larger than" not in lower and any(sign in lower for sign in _GONE)


@cache
def _shared(per_second: float) -> Manners:
    """The one pace of all that asks NCBI in this process."""
    return Manners("PubMed", per_second)


@contextmanager
def _biopython(url: str) -> Iterator[Any]:
    """Biopython's Entrez for one request: at `url`, with a time limit, without retries and sleeps of its own.

    It has module variables for these and no arguments; they are put back, and no other thread's request is between.
    Its pause of 0.37 s (with a key 0.1 s) between requests stays, which is a little longer than the pace here.
    """
    from Bio import Entrez  # here, because importing it takes a tenth of a second

    module: Any = Entrez
    with _BIOPYTHON:
        before = module.max_tries, module.urlopen
        module.max_tries, module.urlopen = 1, partial(_open_at, url)
        try:
            yield module
        finally:
            module.max_tries, module.urlopen = before


def _open_at(url: str, request: Request) -> Any:
    request.full_url = url + request.full_url.removeprefix(NCBI)
    return urlopen(request, timeout=TIMEOUT_S)  # noqa: S310 - the configuration takes http and https only
