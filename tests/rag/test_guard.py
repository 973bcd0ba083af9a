"""What gives a request's own answer away is kept out of its evidence: counted, and said to the reader."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from configs import parse
from imaging import LoadedImage, decode
from indexer import Index, IndexConfig, build_index, open_index
from indexer.types import Vectors
from pocket.render import render
from rag import open_pipeline
from rag.config import GuardSettings, resolve
from rag.guard import Guard, Left
from rag.types import LeftOut, Request

ON = GuardSettings(enabled=True, look_alikes=True, near_vectors=True)
SLICES = range(40, 48)


def png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def picture(seed: int) -> Image.Image:
    return Image.fromarray(render("slice", seed).pixels)


def changed(image: Image.Image) -> Image.Image:
    """As another archive might have it: cropped, labelled, smaller, recompressed."""
    w, h = image.size
    out = image.crop((round(0.06 * w), round(0.1 * h), round(0.98 * w), round(0.93 * h)))
    ImageDraw.Draw(out).rectangle((10, 10, 110, 60), fill="white")
    buffer = io.BytesIO()
    out.resize((out.width // 2, out.height // 2)).save(buffer, "JPEG", quality=50)
    return Image.open(buffer).convert("RGB")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """Drawn slices `s40` to `s47`, two to an article; `s40` once more, changed, in an article of its own; passages."""
    folder = tmp_path_factory.mktemp("guarded")
    records = []
    for seed in SLICES:
        (folder / f"s{seed}.png").write_bytes(png(picture(seed)))
        records.append(
            {"id": f"s{seed}", "image": f"s{seed}.png", "case": f"case{seed // 2}", "caption": f"Slice {seed}."}
        )
    (folder / "other.png").write_bytes(png(changed(picture(40))))
    records.append({"id": "elsewhere", "image": "other.png", "case": "case-elsewhere", "caption": "The same slice."})
    (folder / "records.jsonl").write_text("\n".join(map(json.dumps, records)))
    texts = [{"id": f"t{n}", "text": f"Text {n} of a case.", "case": f"case{20 + n}"} for n in range(4)]
    (folder / "texts.jsonl").write_text("\n".join(map(json.dumps, texts)))
    fields = {"id": "id", "image": "image", "caption": "caption", "article": "case"}
    sources = [
        {"kind": "folder", "path": str(folder), "records": "records.jsonl", "fields": fields},
        {
            "kind": "jsonl",
            "path": str(folder / "texts.jsonl"),
            "fields": {"id": "id", "text": "text", "article": "case"},
        },
    ]
    build_index(parse(IndexConfig, {"out": str(folder / "ix"), "sources": sources}, "test"), progress=False)
    return open_index(folder / "ix")


def guarded(index: Index, request: Request, *images: Image.Image, settings: GuardSettings = ON) -> Left:
    loaded = tuple(decode(png(image), f"asked {place}") for place, image in enumerate(images))
    return guarded_as(index, request, loaded, index.embedder_for("images").embed_images(loaded), settings)


def guarded_as(
    index: Index, request: Request, images: Sequence[LoadedImage], vectors: Vectors | None, settings: GuardSettings = ON
) -> Left:
    (left,) = Guard(index, settings).leave_out([request], [tuple(images)], [vectors])
    return left


def test_a_copy_takes_its_article_with_it_and_is_said(index: Index) -> None:
    left = guarded(index, Request("asked", ("x",)), changed(picture(43)))
    assert left.ids == {"asked", "s43"}
    assert left.articles == {"case21"}
    assert left.counts == LeftOut(look_alike=1, same_article=2)  # s42, and the passage of the case
    (warning,) = left.warnings
    assert warning == (
        "the index holds what looks like a copy of this image (s43): all of article case21 was left out of the evidence"
    )


def test_every_copy_is_found_wherever_it_stands(index: Index) -> None:
    left = guarded(index, Request("asked", ("x",)), picture(40))
    assert {"s40", "elsewhere"} <= left.ids
    assert left.articles == {"case20", "case-elsewhere"}
    assert left.counts == LeftOut(same_file=1, look_alike=1, same_article=2)
    assert [w.split(" (")[0] for w in left.warnings] == [
        "the index holds this very image",
        "the index holds what looks like a copy of this image",
    ]


def test_the_requests_own_id_and_article_are_left_out(index: Index) -> None:
    left = guarded(index, Request("s46", ("x",), article="case22"), picture(90))
    assert left.ids == {"s46"}
    assert left.articles == {"case22"}
    assert left.counts == LeftOut(own_id=1, same_article=3)
    assert left.warnings == ()


def test_another_picture_of_the_kind_is_no_copy(index: Index) -> None:
    for seed in range(60, 66):
        left = guarded(index, Request("asked", ("x",)), picture(seed))
        assert (left.ids, left.articles, left.counts, left.warnings) == ({"asked"}, frozenset(), LeftOut(), ())


def test_each_image_of_a_request_is_looked_for(index: Index) -> None:
    left = guarded(index, Request("asked", ("x", "y", "z")), picture(61), changed(picture(42)), changed(picture(45)))
    assert left.ids == {"asked", "s42", "s45"}
    assert left.articles == {"case21", "case22"}


def test_requests_of_a_batch_do_not_mix(index: Index) -> None:
    images = [(decode(png(changed(picture(seed))), "x"),) for seed in (42, 62, 45)]
    vectors = [index.embedder_for("images").embed_images(several) for several in images]
    requests = [Request(str(n), ("x",)) for n in range(3)]
    left = Guard(index, ON).leave_out(requests, images, vectors)
    assert [one.ids for one in left] == [{"0", "s42"}, {"1"}, {"2", "s45"}]


def test_a_vector_that_is_almost_the_images_own_is_enough(index: Index) -> None:
    """The pixels are another picture's: only the vector says so."""
    vector = index.embedder_for("images").embed_images([decode(png(picture(44)), "s44")])
    other = decode(png(picture(77)), "asked")
    left = guarded_as(index, Request("asked", ("x",)), [other], vector)
    assert left.counts == LeftOut(near_vector=1, same_article=2)
    assert left.warnings == (
        "the index holds an image whose vector is almost this one's (s44): all of article case22 was left out of the "
        "evidence",
    )
    tilted = vector + 0.3 * np.roll(vector, 1)
    away = (tilted / np.linalg.norm(tilted)).astype(np.float32)
    assert guarded_as(index, Request("asked", ("x",)), [other], away).counts == LeftOut()


def test_copies_are_found_by_hash_where_there_is_no_vector(index: Index) -> None:
    smaller = picture(47).resize((190, 190), Image.Resampling.BICUBIC)
    left = guarded_as(index, Request("asked", ("x",)), [decode(png(smaller), "x")], None)
    assert left.ids == {"asked", "s47"}
    assert left.counts == LeftOut(look_alike=1, same_article=2)


def test_what_is_switched_off_is_not_looked_for_and_is_said(index: Index) -> None:
    copy, request = changed(picture(43)), Request("s40", ("x",), article="case21")
    off = guarded(index, request, copy, settings=ON.model_copy(update={"enabled": False}))
    assert (off.ids, off.sha256, off.articles, off.counts) == (frozenset(), frozenset(), frozenset(), LeftOut())
    (warning,) = off.warnings
    assert warning.startswith("the leak guard is off (retrieval.guard.enabled)")
    pixels = guarded(index, Request("a", ("x",)), copy, settings=ON.model_copy(update={"look_alikes": False}))
    assert pixels.counts == LeftOut()
    assert pixels.warnings == (
        "the evidence may hold pictures that look like copies of this image: retrieval.guard.look_alikes is off",
    )
    vectors = guarded(index, Request("a", ("x",)), copy, settings=ON.model_copy(update={"near_vectors": False}))
    assert vectors.counts == LeftOut(look_alike=1, same_article=2)
    assert vectors.warnings[1:] == (
        "the evidence may hold images whose vectors are almost this one's: retrieval.guard.near_vectors is off",
    )


def test_the_record_says_what_was_left_out_and_no_evidence_is_of_it(index: Index, tmp_path: Path) -> None:
    file = tmp_path / "copy.png"
    file.write_bytes(png(changed(picture(43))))
    requests = [Request("asked", (str(file),))]

    def record(*assignments: str) -> dict[str, object]:
        settings = resolve(
            assignments=["prompt.template=few_shot_passages", *assignments], retrieval__index=str(index.path)
        )
        (described,) = open_pipeline(settings, requests).run(requests)
        return described.to_json()  # type: ignore[union-attr]

    kept = record()
    assert kept["left_out"] == {
        "own_id": 0,
        "same_file": 0,
        "same_article": 2,
        "look_alike": 1,
        "near_vector": 0,
        "instructions": 0,
    }
    assert {e["id"] for e in kept["evidence"]}.isdisjoint({"s42", "s43", "t1"})  # type: ignore[attr-defined]
    free = record("retrieval.guard.enabled=false")
    assert "s43" in {e["id"] for e in free["evidence"]}  # type: ignore[attr-defined]
    assert any("leak guard is off" in warning for warning in free["warnings"])  # type: ignore[attr-defined]
