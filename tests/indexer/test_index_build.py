"""Builds: what is new, what is kept, what happens when they are killed, doubled or fed bad files."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Embedders
from index_makers import (
    HashEmbedder,
    folder_config,
    index_config,
    text_config,
    unit_vector,
    write_config,
    write_embedder,
    write_images,
    write_jsonl,
)

from indexer import (
    EmbedderMismatchError,
    IndexBusyError,
    IndexerError,
    IndexIncompleteError,
    IndexNotFoundError,
    NothingIndexedError,
    Query,
    SourceError,
    add_to_index,
    build_index,
    open_index,
    verify_index,
)

TEXTS = [{"id": f"t{n}", "text": f"Text number {n}."} for n in range(6)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "pictures"
    write_jsonl(root / "records.jsonl", write_images(root, 10))
    return root


def ids(path: Path, space: str = "images") -> set[str]:
    """The ids that a search for everything finds."""
    with open_index(path) as index:
        found = index.search([Query(space, unit_vector("anything"), k=1000)])[0]
        return {evidence.id for evidence in found}


def test_build_then_nothing_new(folder: Path, tmp_path: Path, hashes: Embedders) -> None:
    texts = write_jsonl(tmp_path / "texts.jsonl", TEXTS)
    config = index_config(tmp_path / "ix", folder_config(folder), text_config(texts), **hashes.names)
    report = build_index(config, progress=False)
    assert (report.changed, report.added, report.embedded, report.generation) == (True, 16, 16, 1)
    assert report.counts == {"example": 10, "passage": 6}
    assert sorted(hashes.batches) == [2, 4, 4, 6]  # four times as many texts as images at a time
    before = {path: path.read_bytes() for path in (tmp_path / "ix").iterdir()}
    again = build_index(config, progress=False)
    assert (again.changed, again.unchanged, again.embedded, again.generation) == (False, 16, 0, 1)
    assert "nothing new" in again.lines()[0]
    assert {path: path.read_bytes() for path in (tmp_path / "ix").iterdir()} == before
    assert verify_index(tmp_path / "ix", embed=True).ok


def test_only_what_is_new_or_changed_is_embedded(folder: Path, tmp_path: Path, hashes: Embedders) -> None:
    config = index_config(tmp_path / "ix", folder_config(folder), **hashes.names)
    build_index(config, progress=False)
    records = write_images(folder, 12)[1:]
    records[4]["caption"] = "another caption"
    write_jsonl(folder / "records.jsonl", records)
    hashes.created.clear()
    report = build_index(config, progress=False)
    assert (report.added, report.replaced, report.removed, report.unchanged) == (2, 1, 1, 8)
    assert sum(hashes.batches) == 3
    assert ids(tmp_path / "ix") == {f"r{n}" for n in range(1, 12)}
    with open_index(tmp_path / "ix") as index:
        assert index.examples(["r5"])[0].caption == "another caption"
    assert verify_index(tmp_path / "ix").ok


def test_a_changed_image_is_embedded_again(folder: Path, tmp_path: Path, hashes: Embedders) -> None:
    config = index_config(tmp_path / "ix", folder_config(folder), **hashes.names)
    build_index(config, progress=False)
    (folder / "images/3.png").write_bytes((folder / "images/4.png").read_bytes())
    report = build_index(config, progress=False)
    assert (report.replaced, report.embedded) == (1, 1)
    with open_index(tmp_path / "ix") as index:
        three, four = index.examples(["r3", "r4"])
        assert three.image_sha256 == four.image_sha256


def test_add_keeps_what_is_there(folder: Path, tmp_path: Path, hashes: Embedders) -> None:
    path = tmp_path / "ix"
    build_index(index_config(path, folder_config(folder), **hashes.names), progress=False)
    other = tmp_path / "more"
    write_jsonl(other / "records.jsonl", write_images(other, 4, start=100))
    more = index_config(path, folder_config(other), **hashes.names)
    report = add_to_index(path, write_config(tmp_path / "more.yaml", more), progress=False)
    assert (report.added, report.removed, report.generation) == (4, 0, 2)
    assert report.counts == {"example": 14}
    assert add_to_index(path, more.sources, progress=False).changed is False
    texts = write_jsonl(tmp_path / "texts.jsonl", TEXTS)
    added = add_to_index(path, index_config(path, text_config(texts), **hashes.names).sources, progress=False)
    assert added.counts == {"example": 14, "passage": 6}
    with open_index(path) as index:
        assert index.info().sources == {"pictures": 10, "texts": 6, "more": 4}
        assert len(index.manifest.config["sources"]) == 3
    assert verify_index(path).ok


def test_bad_images_are_failures_and_not_the_end(folder: Path, tmp_path: Path, hashes: Embedders) -> None:
    (folder / "images/2.png").write_bytes(b"no image")
    (folder / "images/5.png").write_bytes(b"")
    (folder / "images/7.png").unlink()
    records = write_images(tmp_path / "elsewhere", 1)
    with (folder / "records.jsonl").open("a") as file:
        file.write('{"id": "r0", "image": "images/1.png", "caption": "the same id", "case": "x"}\n')
    assert records
    report = build_index(index_config(tmp_path / "ix", folder_config(folder), **hashes.names), progress=False)
    assert [failure.id for failure in report.failures] == ["r2", "r5", "r7", "r0"]
    assert "7.png" in report.failures[2].reason
    assert "already a record's of pictures" in report.failures[3].reason
    assert report.counts == {"example": 7}
    assert "4 records could not be used:" in report.lines()
    with open_index(tmp_path / "ix") as index:
        assert index.info().failures == 4


def test_nothing_usable_leaves_no_index(folder: Path, tmp_path: Path, hashes: Embedders) -> None:
    for image in (folder / "images").iterdir():
        image.write_bytes(b"no image")
    with pytest.raises(NothingIndexedError, match="none of 10 records could be used; the first: r0: "):
        build_index(index_config(tmp_path / "ix", folder_config(folder), **hashes.names), progress=False)
    with pytest.raises(IndexIncompleteError):
        open_index(tmp_path / "ix")


def test_a_wrong_source_makes_no_folder(folder: Path, tmp_path: Path, hashes: Embedders) -> None:
    config = index_config(tmp_path / "ix", folder_config(folder, where={"split": "test"}), **hashes.names)
    with pytest.raises(SourceError, match="none of 10 records matches"):
        build_index(config, progress=False)
    assert not (tmp_path / "ix").exists()


def test_a_folder_with_other_files_is_left_alone(folder: Path, hashes: Embedders) -> None:
    with pytest.raises(IndexNotFoundError, match="a folder with other files"):
        build_index(index_config(folder, folder_config(folder), **hashes.names), progress=False)


def test_a_stopped_build_goes_on(
    folder: Path, tmp_path: Path, hashes: Embedders, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ix"
    config = write_config(tmp_path / "mine.yaml", index_config(path, folder_config(folder), **hashes.names))
    embed, begun = HashEmbedder.embed_images, count()

    def stop(self: HashEmbedder, images: Any) -> Any:
        if next(begun) == 2:
            raise KeyboardInterrupt
        return embed(self, images)

    monkeypatch.setattr(HashEmbedder, "embed_images", stop)
    with pytest.raises(KeyboardInterrupt):
        build_index(config, progress=False)
    with pytest.raises(IndexIncompleteError, match=r"half-built.*index build .*mine\.yaml$"):
        open_index(path)
    monkeypatch.setattr(HashEmbedder, "embed_images", embed)
    hashes.created.clear()
    report = build_index(config, progress=False)
    assert (report.added, report.embedded, report.unchanged) == (10, 2, 8)
    assert sum(hashes.batches) == 2
    assert verify_index(path).ok


def test_embedders_do_not_mix_in_a_build_that_goes_on(
    folder: Path, tmp_path: Path, hashes: Embedders, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed, begun = HashEmbedder.embed_images, count()

    def stop(self: HashEmbedder, images: Any) -> Any:
        if next(begun):
            raise KeyboardInterrupt
        return embed(self, images)

    config = index_config(tmp_path / "ix", folder_config(folder), **hashes.names)
    monkeypatch.setattr(HashEmbedder, "embed_images", stop)
    with pytest.raises(KeyboardInterrupt):
        build_index(config, progress=False)
    monkeypatch.setattr(HashEmbedder, "embed_images", embed)
    other = write_embedder(tmp_path / "other.yaml", "open_clip", tmp_path)
    changed = config.model_copy(update={"image_embedder": other})
    with pytest.raises(EmbedderMismatchError, match=r"half-built with hash:hash-images.*asks for hash:other"):
        build_index(changed, progress=False)
    report = build_index(changed, progress=False, rebuild=True)
    assert (report.embedded, report.counts) == (10, {"example": 10})
    assert verify_index(tmp_path / "ix").ok


def test_another_embedder_is_refused_and_a_rebuild_changes_it(folder: Path, tmp_path: Path, hashes: Embedders) -> None:
    config = index_config(tmp_path / "ix", folder_config(folder), **hashes.names)
    build_index(write_config(tmp_path / "mine.yaml", config), progress=False)
    other = write_embedder(tmp_path / "other.yaml", "open_clip", tmp_path)
    changed = write_config(tmp_path / "mine.yaml", config.model_copy(update={"image_embedder": other}))
    with pytest.raises(EmbedderMismatchError) as error:
        build_index(changed, progress=False)
    was, wish = (HashEmbedder(name, hashes_config(tmp_path)) for name in ("hash-images", "other"))
    assert str(error.value) == (
        f"index {tmp_path / 'ix'} was built with hash:hash-images@{was.revision[:8]} (16-d); the config asks for "
        f"hash:other@{wish.revision[:8]} (16-d). Rebuild: python cli.py index build {changed} --rebuild"
    )
    report = build_index(changed, progress=False, rebuild=True)
    assert (report.generation, report.embedded, report.replaced) == (2, 10, 10)
    with open_index(tmp_path / "ix") as index:
        assert index.embedder_for("images").id == "hash:other"
    assert verify_index(tmp_path / "ix").ok


def hashes_config(folder: Path) -> Any:
    from indexer.embedders.config import OpenClipConfig

    return OpenClipConfig(kind="open_clip", folder=str(folder))


def test_a_reader_sees_the_old_generation_while_a_build_runs(
    folder: Path, tmp_path: Path, hashes: Embedders, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ix"
    config = index_config(path, folder_config(folder), **hashes.names)
    build_index(config, progress=False)
    write_jsonl(folder / "records.jsonl", write_images(folder, 16)[2:])
    reader = open_index(path)
    before = reader.search([Query("images", unit_vector("anything"), k=100)])
    embed = HashEmbedder.embed_images
    seen: list[set[str]] = []

    def look(self: HashEmbedder, images: Any) -> Any:
        seen.append(ids(path))
        return embed(self, images)

    monkeypatch.setattr(HashEmbedder, "embed_images", look)
    build_index(config, progress=False)
    old = {f"r{n}" for n in range(10)}
    assert seen == [old, old]
    assert reader.search([Query("images", unit_vector("anything"), k=100)]) == before
    assert reader.info().kinds == {"example": 10}
    reader.close()
    assert ids(path) == {f"r{n}" for n in range(2, 16)}


def test_a_reader_that_lost_its_files_reads_the_new_generation(folder: Path, tmp_path: Path, hashes: Embedders) -> None:
    path = tmp_path / "ix"
    config = index_config(path, folder_config(folder), **hashes.names)
    build_index(config, progress=False)
    with open_index(path) as reader:
        write_jsonl(folder / "records.jsonl", write_images(folder, 12))
        build_index(config, progress=False)
        assert len(reader.search([Query("images", unit_vector("x"), k=100)])[0]) == 12
        assert reader.generation == 2


@pytest.fixture
def slow_build(folder: Path, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A build of `ix` in another process, with an embedder that takes its time."""
    names = {
        "image_embedder": write_embedder(tmp_path / "hash-images.yaml", "open_clip", tmp_path),
        "text_embedder": write_embedder(tmp_path / "hash-texts.yaml", "sentence_transformers", tmp_path),
    }
    config = index_config(tmp_path / "ix", folder_config(folder), **{**names, "batch_size": 1})
    code = f"""
import sys, time
sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(Path(__file__).parents[2])!r}]
import index_makers, indexer, indexer.publish
class Slow(index_makers.HashEmbedder):
    def embed_images(self, images):
        time.sleep(0.2)
        return super().embed_images(images)
indexer.publish.create_embedder = Slow
indexer.build_index({str(write_config(tmp_path / "mine.yaml", config))!r}, progress=False)
"""
    process = subprocess.Popen([sys.executable, "-c", code])
    yield process
    process.kill()
    process.wait()


def wait_for_rows(path: Path, count: int) -> int:
    """Waits until a build has committed so many records."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if path.exists():
            try:
                with sqlite3.connect(path, timeout=5) as connection:
                    found = int(connection.execute("SELECT count(*) FROM vectors").fetchone()[0])
                connection.close()
            except sqlite3.OperationalError:
                found = 0
            if found >= count:
                return found
        time.sleep(0.02)
    raise AssertionError("the build has committed nothing")


def test_kill_nine_loses_nothing_that_was_committed(
    slow_build: subprocess.Popen[bytes], tmp_path: Path, hashes: Embedders
) -> None:
    wait_for_rows(tmp_path / "ix" / "records.sqlite", 3)
    os.kill(slow_build.pid, signal.SIGKILL)
    slow_build.wait()
    committed = wait_for_rows(tmp_path / "ix" / "records.sqlite", 3)
    report = build_index(tmp_path / "mine.yaml", progress=False)
    assert (report.added, report.unchanged, report.embedded) == (10, committed, 10 - committed)
    assert sum(hashes.batches) == 10 - committed
    assert verify_index(tmp_path / "ix").ok


def test_two_builds_at_once(slow_build: subprocess.Popen[bytes], tmp_path: Path, hashes: Embedders) -> None:
    wait_for_rows(tmp_path / "ix" / "records.sqlite", 1)
    with pytest.raises(IndexBusyError, match="another build is writing"):
        build_index(tmp_path / "mine.yaml", progress=False)
    assert slow_build.wait(timeout=30) == 0
    assert build_index(tmp_path / "mine.yaml", progress=False).changed is False
    assert hashes.batches == []


@pytest.mark.parametrize("where", ["settle", "write_space", "manifest", "tidy"])
def test_killed_while_it_publishes(
    folder: Path, tmp_path: Path, hashes: Embedders, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Whatever the moment, the index is one generation or the other, and the next build makes it whole."""
    path = tmp_path / "ix"
    config = index_config(path, folder_config(folder), **hashes.names)
    build_index(config, progress=False)
    write_jsonl(folder / "records.jsonl", write_images(folder, 14)[3:])
    target = {
        "settle": "indexer.ledger.Ledger.settle",
        "write_space": "indexer.publish._write_space",
        "manifest": "indexer.publish.write_manifest",
        "tidy": "indexer.ledger.Ledger.tidy",
    }[where]

    def killed(*_args: object, **_kwargs: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(target, killed)
        with pytest.raises(KeyboardInterrupt):
            build_index(config, progress=False)
    switched = where == "tidy"
    assert ids(path) == {f"r{n}" for n in (range(3, 14) if switched else range(10))}
    hashes.created.clear()
    report = build_index(config, progress=False)
    assert report.changed is not switched
    assert hashes.batches == []
    assert ids(path) == {f"r{n}" for n in range(3, 14)}
    assert verify_index(path).skipped == ()
    write_jsonl(folder / "records.jsonl", write_images(folder, 15))
    build_index(config, progress=False)
    assert ids(path) == {f"r{n}" for n in range(15)}
    assert verify_index(path).ok
    assert len(list(path.glob("*.faiss"))) == 1


def test_a_full_disk_says_so(folder: Path, tmp_path: Path, hashes: Embedders, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("indexer.vectors.VectorFile.write", full)
    with pytest.raises(IndexerError, match=r"writing stopped: .*No space left.*What was done is kept"):
        build_index(index_config(tmp_path / "ix", folder_config(folder), **hashes.names), progress=False)


def test_vectors_that_are_not_finite_are_failures(
    folder: Path, tmp_path: Path, hashes: Embedders, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_self: HashEmbedder, images: Any) -> Any:
        vectors = np.stack([unit_vector(image.sha256) for image in images])
        vectors[0, 0] = np.nan
        return vectors

    monkeypatch.setattr(HashEmbedder, "embed_images", broken)
    report = build_index(index_config(tmp_path / "ix", folder_config(folder), **hashes.names), progress=False)
    assert [failure.reason for failure in report.failures] == ["its vector is not finite"] * 3
    assert report.counts == {"example": 7}


def test_progress_is_shown_when_asked_for(
    folder: Path, tmp_path: Path, hashes: Embedders, capsys: pytest.CaptureFixture[str]
) -> None:
    config = index_config(tmp_path / "ix", folder_config(folder), **hashes.names)
    build_index(config)
    assert capsys.readouterr() == ("", "")
    build_index(config, rebuild=True, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "10/10" in err
    assert "records/s" in err
