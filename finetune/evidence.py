"""The evidence of all records of a split, found once before training and kept beside the run.

    RUN/evidence-train.jsonl    what it was found in and for, then a line a record: its evidence by ids

Found by the pipeline's own retriever, so that a record's article, its own file and copies of it are left out as they
are at run time. Kept are ids and scores; the texts are read back from the index, each once, without their pictures.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from evaluation.lines import mend, read_lines
from finetune.errors import RecordsError
from finetune.records import TrainingRecord
from imaging import ImageError, LoadedImage
from indexer import Index
from indexer.manifest import hash_json
from indexer.types import Evidence, Example, Kind, Passage
from rag.errors import RequestError
from rag.pipeline import Pipeline
from rag.retrieve import Retriever
from rag.types import Request, Stopwatch

TOGETHER = 32
"""Records whose evidence is sought in one batch; so many pictures are in memory."""
_DRAWS = 50
"""Pieces of other records that are looked at for one that may stand in another's place."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of evidence of a record: what it is, and how it was found."""

    kind: Kind
    id: str
    score: float
    rank: int


class FoundEvidence:
    """Of each record its evidence, as the retriever ordered it; texts of the index without their pictures."""

    def __init__(self, pieces: dict[str, tuple[Piece, ...]], index: Index | None) -> None:
        self._pieces = pieces
        self._owners = [id_ for id_, several in pieces.items() if several]
        self._texts = {} if index is None else _texts(index, pieces)

    def of(self, id_: str) -> tuple[Evidence, ...]:
        """The evidence of a record; none for one that has none."""
        return tuple(self._evidence(piece) for piece in self._pieces.get(id_, ()))

    def distracted(
        self, record: TrainingRecord, images: Sequence[LoadedImage], share: float, draw: random.Random
    ) -> tuple[Evidence, ...]:
        """The evidence of a record, each piece with probability `share` replaced by one that was found for another.

        It has its place, kind and rank. It is of another article than the record, is not its image nor says its
        answer or what is shown already. Where no such piece is drawn, the right one stays.
        """
        right = shown = self.of(record.id)
        own = {image.sha256 for image in images}
        for place, piece in enumerate(shown):
            if draw.random() >= share:
                continue
            there = {one.text for one in (*shown, *right)}
            for other in self._drawn(piece.kind, draw):
                if other.text not in there and not _gives_away(other, record, own):
                    stand_in = replace(other, score=piece.score, rank=piece.rank)
                    shown = (*shown[:place], stand_in, *shown[place + 1 :])
                    break
        return shown

    def _drawn(self, kind: Kind, draw: random.Random) -> Iterator[Evidence]:
        """Pieces of a kind that were found for records drawn at random."""
        for _ in range(_DRAWS):
            several = [piece for piece in self._pieces[draw.choice(self._owners)] if piece.kind == kind]
            if several:
                yield self._evidence(draw.choice(several))

    def _evidence(self, piece: Piece) -> Evidence:
        return Evidence(self._texts[piece.kind, piece.id], piece.score, piece.rank)


def find_evidence(
    pipeline: Pipeline, records: Sequence[TrainingRecord], requests: Sequence[Request], file: Path, tell: Tell
) -> FoundEvidence:
    """The evidence of all records: what `file` has of them, and what is still to be found, which is added to it.

    One process at a time; the others find it all there. Raises RecordsError where the file was made with another
    index, other settings or other records, and where an image cannot be read; IndexerError.
    """
    retriever = pipeline.retriever
    if not isinstance(retriever, Retriever):
        return FoundEvidence({}, None)
    asked = _asked(pipeline, retriever, records)
    pieces = _read(file, asked)
    left = [request for request in requests if request.id not in pieces]
    if left:
        tell(f"finding the evidence of {len(left)} records in {asked['index']}")
        with file.open("a", encoding="utf-8") as lines:
            if file.stat().st_size == 0:
                lines.write(json.dumps(asked) + "\n")
            for id_, found in _found(pipeline, left):
                pieces[id_] = found
                told = [[piece.kind, piece.id, round(piece.score, 6), piece.rank] for piece in found]
                lines.write(json.dumps({"id": id_, "evidence": told}, ensure_ascii=False) + "\n")
    return FoundEvidence(pieces, retriever.index)


def load_images(pipeline: Pipeline, request: Request) -> tuple[LoadedImage, ...]:
    """The images of a record. Raises RecordsError, one line with the record's id."""
    try:
        return pipeline.images(request)
    except (ImageError, RequestError) as error:
        said = str(error).removeprefix(f"{request.id}: ")
        raise RecordsError(f"record {request.id}: {said}. Mend it, or take it out of its split's file") from error


def _found(pipeline: Pipeline, requests: Sequence[Request]) -> Iterator[tuple[str, tuple[Piece, ...]]]:
    with tqdm(total=len(requests), desc="evidence", leave=False, disable=None) as bar:
        for start in range(0, len(requests), TOGETHER):
            batch = requests[start : start + TOGETHER]
            # Those without an image have none to search by, at run time as here.
            good = [(request, load_images(pipeline, request)) for request in batch if request.images]
            found = {}
            for (request, _), one in zip(good, pipeline.evidence(good, Stopwatch()) if good else [], strict=True):
                found[request.id] = tuple(Piece(e.kind, e.id, e.score, e.rank) for e in one.evidence)
            yield from ((request.id, found.get(request.id, ())) for request in batch)
            bar.update(len(batch))


def _asked(pipeline: Pipeline, retriever: Retriever, records: Sequence[TrainingRecord]) -> dict[str, str]:
    """What decides what is found: the index, how it is searched, and for what."""
    retrieval = pipeline.settings.retrieval.model_dump(mode="json", exclude={"index"})
    kinds = {task: sorted(template.kinds) for task, template in pipeline.templates.items()}
    sought = [[r.id, r.task, r.images, r.question, r.article] for r in records]
    return {
        "index": f"{pipeline.settings.retrieval.index}@{retriever.version}",
        "settings": hash_json([retrieval, kinds])[:12],
        "records": hash_json(sought)[:12],
    }


def _read(file: Path, asked: dict[str, str]) -> dict[str, tuple[Piece, ...]]:
    """What was found before the run was stopped; nothing where there is no file yet."""
    mend(file)
    try:
        lines = list(read_lines(file))
    except ValueError as error:
        raise RecordsError(f"{file} cannot be read: {error}. Delete it, and the evidence is found again") from error
    if not lines:
        return {}
    _check_same(file, lines[0], asked)
    return {line["id"]: tuple(Piece(*piece) for piece in line["evidence"]) for line in lines[1:]}


def _check_same(file: Path, was: dict[str, Any], asked: dict[str, str]) -> None:
    """An index that moved is the same; one that was built anew is another."""
    for key, now in asked.items():
        then = str(was.get(key))
        if then.rpartition("@")[2] != now.rpartition("@")[2]:
            what = f"index {then}, which is now {now}" if key == "index" else f"other {key}"
            raise RecordsError(
                f"{file} was made with {what}: the run would go on with other evidence. Bring it back, or begin anew "
                "in another folder"
            )


def _gives_away(evidence: Evidence, record: TrainingRecord, own: set[str]) -> bool:
    """Whether a piece of another record may not be shown with this one."""
    known = evidence.record
    if known.article is not None and known.article == record.article:
        return True
    same = isinstance(known, Example) and known.image_sha256 in own
    return same or known.id == record.id or evidence.text.strip() == record.answer.strip()


def _texts(index: Index, pieces: dict[str, tuple[Piece, ...]]) -> dict[tuple[Kind, str], Example | Passage]:
    """The records of an index that the pieces name, without thumbnails."""
    ids: dict[Kind, dict[str, None]] = {"example": {}, "passage": {}}
    for several in pieces.values():
        for piece in several:
            ids[piece.kind][piece.id] = None
    texts: dict[tuple[Kind, str], Example | Passage] = {}
    for start in range(0, len(ids["example"]), 500):
        for example in index.examples(list(ids["example"])[start : start + 500]):
            texts["example", example.id] = replace(example, thumbnail=b"")
    texts.update({("passage", passage.id): passage for passage in index.passages(list(ids["passage"]))})
    return texts
