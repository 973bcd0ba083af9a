"""The service itself: everything opened once, for the API and the page alike."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import psutil

from batch.errors import BatchError
from batch.types import Failed
from configs import ConfigError
from imaging import ImageError
from indexer.errors import IndexerError, RecordNotFoundError
from indexer.types import Evidence
from rag.errors import RagError
from rag.prompts import PromptTemplate
from rag.retrieve import search_in
from rag.starter import Tell
from service.asked import Asked, Choice, Offer, Upload
from service.config import ServiceConfig
from service.crew import hands_for
from service.desk import Desk
from service.errors import (
    CannotDescribe,
    CannotServe,
    NoKey,
    NotThere,
    Refusal,
    Unusable,
    UnusableAnswer,
    UnusableImage,
    public,
)
from service.freed import GivesBack
from service.hands import Outcome
from service.headers import LOOPBACK
from service.jobs import JobAsked, JobFile, Jobs, JobView
from service.keys import Key, Keys
from service.limits import Rates
from service.logs import LOGGER
from service.metrics import Metrics
from service.opened import Opened
from service.rated import RatedTasks
from service.records import RecordStore
from service.results import Results
from vlm.config import load_model_config
from vlm.errors import PromptError, UnsupportedByServer, UnsupportedSchema, VlmError, one_line

T = TypeVar("T")

_log = logging.getLogger(LOGGER)
_REFUSALS: dict[str, type[Refusal]] = {
    "image": UnusableImage,
    "answer": UnusableAnswer,
    "memory": CannotDescribe,
    "time": CannotDescribe,
}
"""What becomes of a request that failed, by how it failed; others are unusable."""


@dataclass(frozen=True)
class Ready:
    """Whether requests can be described; where not, why in one line. Memory is of this process and its children."""

    ready: bool
    why: str
    rss_mib: int
    available_mib: int


class Service:
    """All that requests need. Use it inside `running`.

    `offer` makes requests of what clients choose, `desk` describes them, `records` keeps what was answered. `jobs`
    describes many images in processes of its own; `rated` are the rating tasks, `results` what is committed. `runs` is
    whether `running` was entered.
    """

    def __init__(self, config: ServiceConfig, tell: Tell = lambda _: None) -> None:
        self.config = config
        self.tell = tell
        self.offer = Offer(config)
        self.opened = Opened(tell)
        self._hands = hands_for(config, self.opened)
        self.metrics = Metrics()
        self.keys = Keys.read(config.keys)
        self.rates = Rates()
        self.records = RecordStore(config.data / "records.sqlite", config.records)
        self.desk = Desk(config.desk, self._hands, self.metrics.batch)
        self.jobs = Jobs(config.data / "jobs", config.jobs)
        self.rated = RatedTasks(config.data / "ratings")
        self.results = Results()
        self.metrics.watch(self.desk)
        self.metrics.watch_jobs(lambda state: self.jobs.counted(state))
        self._not_ready = "the models are being loaded"
        self.runs = False

    @contextmanager
    def running(self) -> Iterator[None]:
        """Opens the desk, goes on with jobs, loads the models; at the end, what was taken is finished, and a job that
        runs is stopped and kept. Raises CannotServe."""
        with self.jobs.running():
            self.runs = True
            self.desk.start()
            loading = threading.Thread(target=self._load, name="load")  # no daemon: torch must not be cut off
            loading.start()
            giving_back = GivesBack()
            try:
                yield
            finally:
                giving_back.close()
                loading.join()  # it uses what is closed next, and says that requests can be described
                self._not_ready = "the service is ending"
                self.desk.close()
                self.records.close()

    def check_offered(self) -> None:
        """Raises UnknownModel, ConfigError and IndexerError for an offered name behind which is nothing."""
        for model in self.offer.models:
            load_model_config(model)
        for prompt in self.offer.prompts:
            PromptTemplate.load(prompt)
        for folder in self.offer.indexes.values():
            self.opened.index(folder)

    def key(self, given: str, address: str) -> Key:
        """The key that somebody at an address gave. Raises NoKey for a wrong one, TooMany after many of them."""
        found = self.keys.find(given)
        if found is None:
            self.rates.take(f"wrong {address}", self.config.limits.wrong_keys_a_minute)
            raise NoKey("the key is not one of this service")
        return found

    def ready(self) -> Ready:
        """Whether a request can be described now."""
        process = psutil.Process()
        rss = process.memory_info().rss
        for child in process.children(recursive=True):
            try:
                rss += child.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        return Ready(not self._not_ready, self._not_ready, rss >> 20, psutil.virtual_memory().available >> 20)

    async def describe(self, asked: Asked, owner: str = "") -> str:
        """The record of a request, as JSON text, once it is kept for `owner`, a key's name. Raises Refusal."""
        with _told():
            return await self._kept(await self.desk.submit(asked).answer(), owner)

    async def stream(self, asked: Asked, owner: str = "") -> AsyncIterator[str | dict[str, Any]]:
        """The text piece by piece as it is written, at last the record, kept for `owner`. Raises Refusal."""
        with _told():
            async for piece in self.desk.stream(asked):
                if isinstance(piece, str):
                    yield piece
                else:
                    yield json.loads(await self._kept(piece, owner))

    async def search(
        self, k: int, index: str | None = None, image: Upload | None = None, text: str | None = None
    ) -> list[Evidence]:
        """The nearest examples to an image, or passages and examples to a text. Raises Refusal."""
        folder = self.offer.index(index)

        def work() -> list[Evidence]:
            loaded = None if image is None else image.decoded(self.config.limits)
            return search_in(self.opened.index(folder), image=loaded, text=text, k=k)

        return await self.call(work)

    async def call(self, work: Callable[[], T]) -> T:
        """Other work with the models and indexes of this process, as `Desk.call` has it. Raises Refusal."""
        with _told():
            return await self.desk.call(work)

    def begin_job(
        self,
        owner: str,
        asked: Asked,
        options: Mapping[str, Any],
        images: Sequence[JobFile],
        archive: JobFile | None = None,
    ) -> JobView:
        """A job that asks the same of each image, as `Offer.each` has it; it is on the disk then. Raises Refusal."""
        with _told():
            self.opened.pipeline(asked.settings, asked.task)  # so that what cannot be asked is refused now
        request = asked.request
        each = JobAsked(request.task, request.question, request.labels, request.schema, request.article)
        return self.jobs.create(owner, each, asked.settings, options, images, archive)

    def thumbnail(self, example: str, index: str | None = None) -> bytes:
        """A JPEG of an example of an index, longest side at most 224 pixels. Raises NotThere and Refusal."""
        with _told():
            found = self.opened.index(self.offer.index(index)).examples([example])
        if not found[0].thumbnail:
            raise NotThere(f"example {example[:80]!r} has no picture")
        return found[0].thumbnail

    async def _kept(self, outcome: Outcome, owner: str) -> str:
        if isinstance(outcome, Failed):
            raise _REFUSALS.get(outcome.kind, Unusable)(outcome.reason.removeprefix(f"{outcome.id}: "))
        return await asyncio.to_thread(self.records.keep, outcome.record, owner)

    def _load(self) -> None:
        """Loads what the first request needs, so that it need not wait."""
        try:
            self._hands.load(self.offer.caption(Upload("image", b""), Choice()))
        except (ConfigError, IndexerError, RagError, VlmError, CannotDescribe) as error:
            self._not_ready = public(error)
            self.tell(f"cannot describe: {one_line(error, 2000)}")
        else:
            self._not_ready = ""


def open_service(config: ServiceConfig, tell: Tell = lambda _: None) -> Service:
    """A service of this configuration; loads no model. `tell` hears what a person should know.

    Raises CannotServe, and what opening a pipeline raises, for what can be refused before anything is asked.
    """
    service = Service(config, tell)
    if service.config.host not in LOOPBACK and not service.keys and not config.open_to_network:
        raise CannotServe(
            f"host {config.host} can be reached from other machines, and no keys are set. Make one with "
            f"serve --new-key NAME, or say --open-to-network"
        )
    service.opened.pipeline(config.resolved(), "caption")
    service.check_offered()
    return service


@contextmanager
def _told() -> Iterator[None]:
    """What the rooms below raise, as refusals."""
    try:
        yield
    except ImageError as error:
        raise UnusableImage(public(error)) from error
    except (ConfigError, RagError, PromptError, UnsupportedSchema, UnsupportedByServer) as error:
        raise Unusable(public(error)) from error
    except RecordNotFoundError as error:
        raise NotThere(public(error)) from error
    except (BatchError, IndexerError, VlmError, MemoryError) as error:
        _log.error("cannot describe: %s", one_line(error, 2000))
        raise CannotDescribe(public(error), retry_after_s=30) from error
    except (OSError, sqlite3.Error) as error:
        _log.error("a file cannot be read or written: %s", one_line(error, 2000))
        raise CannotDescribe(f"a file cannot be read or written: {public(error)}", retry_after_s=30) from error
