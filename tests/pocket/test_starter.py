import hashlib
import json
from pathlib import Path

import pytest
import skimage

from pocket.starter import DEMO_SMEAR_SEED, SEEDS, write_demo, write_starter
from pocket.views import FIRST_FREE_SEED, RENDERED


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("starter")
    write_starter(folder)
    return folder


def lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_record_has_its_image_caption_and_licence(starter: Path) -> None:
    records = lines(starter / "records.jsonl")
    assert len(records) >= 40
    assert len({record["id"] for record in records}) == len(records)
    for record in records:
        assert set(record) == {"id", "image", "caption", "source", "license", "attribution", "article"}
        assert all(record.values())
        assert (starter / record["image"]).is_file()


def test_passages_are_short_and_ours(starter: Path) -> None:
    passages = lines(starter / "passages.jsonl")
    assert 15 <= len(passages) <= 25
    for passage in passages:
        assert set(passage) == {"id", "title", "text", "source", "license"}
        assert passage["license"] == "CC0-1.0"
        assert 40 <= len(passage["text"]) <= 400


def test_ihc_is_not_among_the_images(starter: Path) -> None:
    kept_out = Path(skimage.__file__).parent / "data" / "ihc.png"
    digest = hashlib.sha256(kept_out.read_bytes()).hexdigest()
    assert digest not in {hashlib.sha256(path.read_bytes()).hexdigest() for path in (starter / "images").iterdir()}
    assert not any("ihc" in record["image"] for record in lines(starter / "records.jsonl"))


def test_seeds_of_starter_and_demo_are_never_trained_on() -> None:
    assert max(RENDERED.values()) < FIRST_FREE_SEED
    assert all(min(seeds) >= FIRST_FREE_SEED for seeds in SEEDS.values())
    assert DEMO_SMEAR_SEED not in SEEDS["smear"]
    assert DEMO_SMEAR_SEED >= FIRST_FREE_SEED


def test_writing_twice_gives_the_same_bytes(starter: Path, tmp_path: Path) -> None:
    write_starter(tmp_path)
    for path in starter.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / path.relative_to(starter)).read_bytes()


def test_the_demo_is_a_smear_and_a_copy_of_ihc(tmp_path: Path) -> None:
    write_demo(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"smear.png", "ihc.png"}
