"""The evidence of every arm, chosen before anything is described, and the finder that hands it to the pipeline.

Nearest is what the pipeline's own retriever finds. All others leave out what that leaves out: the image itself and
its article.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tqdm import tqdm

from evaluation.ablation.arms import Arm
from evaluation.errors import EvaluationError, SetError
from evaluation.rouge import rouge1, words
from evaluation.sets import Case
from imaging import ImageError, LoadedImage, load
from indexer import Index, open_index
from indexer.types import Evidence, Example, Query
from rag import open_pipeline
from rag.config import Settings
from rag.retrieve import IMAGES, EvidenceFinder, Found
from rag.starter import index_folder
from rag.types import Request, Stopwatch

POOL = 50
"""Of how many nearest images the oracle chooses, and how many another image's evidence is taken from."""


@dataclass(frozen=True)
class Chosen:
    """All evidence for one image: `nearest` by k, the others as many as the largest k, best first.

    `other` is what is nearest to the image of another article that stands in for it, `sha256` is the image's own.
    """

    sha256: str
    nearest: Mapping[int, Found]
    random: tuple[Evidence, ...]
    oracle: tuple[Evidence, ...]
    other: tuple[Evidence, ...] = ()

    def found(self, arm: Arm) -> Found:
        """What the pipeline is handed in this arm. Passages, where the prompt shows any, are those of the nearest."""
        if arm.evidence == "none":
            return Found(())
        nearest = self.nearest[arm.k]
        if arm.evidence == "nearest":
            return nearest
        examples = {"random": self.random, "oracle": self.oracle, "swapped": self.other}[arm.evidence][: arm.k]
        passages = tuple(e for e in nearest.evidence if e.kind == "passage")
        ranked = tuple(replace(e, rank=rank) for rank, e in enumerate(examples, start=1))
        return replace(nearest, evidence=(*ranked, *passages))


class PlannedEvidence:
    """An EvidenceFinder that finds what was planned for each request, by its id."""

    def __init__(self, version: str, plan: Mapping[str, Found]) -> None:
        self.version = version
        self._plan = plan

    def retrieve(
        self,
        requests: Sequence[Request],
        images: Sequence[tuple[LoadedImage, ...]],  # noqa: ARG002 - the protocol's
        kinds: set[str],  # noqa: ARG002
        clock: Stopwatch,  # noqa: ARG002
    ) -> list[Found]:
        return [self._plan[request.id] for request in requests]

    def load(self, kinds: set[str]) -> None:
        """Nothing is embedded here."""


@dataclass(frozen=True)
class Planned:
    """What every arm is given: by id, all evidence of each image, and the case of another article to swap it with.

    `version` is the index's; `failed` says why an image has none: it cannot be read.
    """

    chosen: Mapping[str, Chosen]
    partners: Mapping[str, Case]
    failed: Mapping[str, str]
    version: str

    def finder(self, arm: Arm) -> PlannedEvidence | None:
        """What the pipeline of an arm finds its evidence with; None where it has none."""
        if arm.evidence == "none":
            return None
        return PlannedEvidence(self.version, {id_: chosen.found(arm) for id_, chosen in self.chosen.items()})


class Chooser:
    """Chooses evidence in the index of `settings`, for ks in `ks`. `kinds` are those that the prompt shows."""

    def __init__(self, settings: Settings, ks: Sequence[int], kinds: set[str], seed: int) -> None:
        self._index: Index = open_index(index_folder(settings.retrieval.index, lambda _: None))
        if IMAGES not in self._index.spaces:
            raise EvaluationError(f"index {self._index.path} has no images to retrieve; give one with --index")
        self._only = settings.retrieval.only.filter()
        self._pictures = settings.prompt.example_images
        self._kinds, self._seed, self._most = kinds, seed, max(ks)
        self._finders = {k: _finder(settings, k) for k in ks}
        self._pool = _finder(settings, POOL)

    def plan(self, cases: Sequence[Case], chunk: int) -> Planned:
        """The evidence of all cases, chosen `chunk` images at a time."""
        chosen: dict[str, Chosen] = {}
        pools: dict[str, Sequence[Evidence]] = {}
        failed: dict[str, str] = {}
        for start in tqdm(range(0, len(cases), chunk), desc="evidence", leave=False, disable=None):
            images: dict[str, LoadedImage] = {}
            for case in cases[start : start + chunk]:
                try:
                    images[case.id] = load(case.image)
                except ImageError as error:
                    failed[case.id] = str(error)
            some = [case for case in cases[start : start + chunk] if case.id in images]
            if some:
                pools |= self._choose(some, [images[case.id] for case in some], start, chosen)
        left = [case for case in cases if case.id in chosen]
        swapped = partners(left, self._seed)
        for case in left:
            near = [e for e in pools[swapped[case.id].id] if not _is_of(e, case, chosen[case.id].sha256)]
            chosen[case.id] = replace(chosen[case.id], other=tuple(near[: self._most]))
        return Planned(chosen, swapped, failed, self._pool.version)

    def _choose(
        self, cases: Sequence[Case], images: Sequence[LoadedImage], start: int, chosen: dict[str, Chosen]
    ) -> dict[str, Sequence[Evidence]]:
        """Adds all evidence but `other` to `chosen`; returns by id the pools of nearest examples."""
        nearest = {k: self._find(finder, cases, images, self._kinds) for k, finder in self._finders.items()}
        pools = [found.evidence for found in self._find(self._pool, cases, images, {"example"})]
        drawn = self._draw(cases, images, start)
        for place, case in enumerate(cases):
            chosen[case.id] = Chosen(
                images[place].sha256,
                {k: several[place] for k, several in nearest.items()},
                drawn[place],
                _closest(pools[place], case.caption)[: self._most],
            )
        return {case.id: pool for case, pool in zip(cases, pools, strict=True)}

    def _find(
        self, finder: EvidenceFinder, cases: Sequence[Case], images: Sequence[LoadedImage], kinds: set[str]
    ) -> list[Found]:
        finder.load(kinds)
        found = finder.retrieve([case.request() for case in cases], [(image,) for image in images], kinds, Stopwatch())
        return [replace(one, evidence=self._light(one.evidence)) for one in found]

    def _draw(self, cases: Sequence[Case], images: Sequence[LoadedImage], start: int) -> list[tuple[Evidence, ...]]:
        vectors = self._index.embedder_for(IMAGES).embed_images(images)
        queries = []
        for case, image, vector in zip(cases, images, vectors, strict=True):
            own = self._index.copies_of([image])
            ids = frozenset({case.id, *(e.id for e in own)})
            articles = frozenset({a for a in (case.article, *(e.article for e in own)) if a})
            queries.append(Query(IMAGES, vector, self._most, ids, frozenset({image.sha256}), articles, only=self._only))
        return [self._light(found) for found in self._index.draw(queries, self._seed + start)]

    def _light(self, evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
        """The evidence without its thumbnails where no prompt shows them, so that that of thousands can be held."""
        if self._pictures:
            return tuple(evidence)
        return tuple(
            replace(e, record=replace(e.record, thumbnail=b"")) if isinstance(e.record, Example) else e
            for e in evidence
        )


def partners(cases: Sequence[Case], seed: int) -> dict[str, Case]:
    """By id, for each case one of another article, every case used once.

    Raises SetError where one article has more than half of the images.
    """
    if not cases:
        return {}
    drawn = random.Random(seed).sample(list(cases), len(cases))
    places = {group: place for place, group in enumerate(dict.fromkeys(case.group for case in drawn))}
    order = sorted(drawn, key=lambda case: places[case.group])
    largest = max(sum(case.group == group for case in order) for group in places)
    if 2 * largest > len(order):
        raise SetError(f"one article has {largest} of the {len(order)} images: none of another is left to swap with")
    # Sorted by article and shifted by the largest one's size, no image comes to stand where its article does.
    return {case.id: order[(place + largest) % len(order)] for place, case in enumerate(order)}


def _finder(settings: Settings, k: int) -> EvidenceFinder:
    """What the pipeline would find evidence with, were its k this one."""
    prompt = settings.prompt.model_copy(update={"example_images": False})
    retrieval = settings.retrieval.model_copy(update={"k": k})
    asked = settings.model_copy(update={"retrieval": retrieval, "prompt": prompt})
    finder = open_pipeline(asked, [Request("any", ())]).retriever
    if finder is None:
        raise EvaluationError("the prompt shows no evidence, or retrieval is off: there is nothing to take away")
    return finder


def _is_of(evidence: Evidence, case: Case, sha256: str) -> bool:
    """Whether evidence that was found for another image is this image itself, or of its article."""
    record = evidence.record
    same_file = isinstance(record, Example) and record.image_sha256 == sha256
    return same_file or evidence.id == case.id or (case.article is not None and record.article == case.article)


def _closest(pool: Sequence[Evidence], reference: str) -> tuple[Evidence, ...]:
    """The examples whose captions have the highest ROUGE-1 with the reference first; the nearer ones among equals."""
    truth = words(reference)
    return tuple(sorted(pool, key=lambda e: (-rouge1(words(e.text), truth), e.rank)))
