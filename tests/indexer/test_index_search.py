"""Search against brute force, exclusions, look-ups, and what opening and verifying say of damage."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Embedders
from hypothesis import given, settings
from hypothesis import strategies as st
from index_makers import DIM, folder_config, index_config, text_config, unit_vector, write_images, write_jsonl

import imaging
from indexer import (
    EmbedderMismatchError,
    IndexCorruptError,
    IndexNotFoundError,
    Query,
    QueryError,
    RecordNotFoundError,
    build_index,
    open_index,
    verify_index,
)
from indexer.database import connect
from indexer.manifest import DATABASE
from indexer.snapshot import Snapshot
from indexer.vectors import VectorFile

COUNT = 40


@pytest.fixture
def built(tmp_path: Path, hashes: Embedders) -> Path:
    """An index of 40 images, three to an article, every fourth file a copy of the one before; and 12 texts."""
    root = tmp_path / "pictures"
    records = write_images(root, COUNT)
    for number in range(3, COUNT, 4):
        shutil.copy(root / f"images/{number - 1}.png", root / f"images/{number}.png")
    write_jsonl(root / "records.jsonl", records)
    rows = [{"id": f"d{n}", "text": " ".join(f"Sentence {n} {m} is long." for m in range(60))} for n in range(4)]
    texts = write_jsonl(tmp_path / "texts.jsonl", [{**row, "pmc": f"P{n % 2}"} for n, row in enumerate(rows)])
    more = text_config(texts, fields={"article": "pmc"})
    build_index(index_config(tmp_path / "ix", folder_config(root), more, **hashes.names), progress=False)
    return tmp_path / "ix"


def test_search_is_exact_and_exclusions_always_leave_k(built: Path) -> None:
    with open_index(built) as index:
        examples = index.examples([f"r{n}" for n in range(COUNT)])
        vectors = np.stack([unit_vector(example.image_sha256) for example in examples])

        @settings(max_examples=80, deadline=None)
        @given(
            st.lists(
                st.tuples(
                    st.integers(0, 10_000),
                    st.integers(0, COUNT + 5),
                    st.sets(st.sampled_from([f"r{n}" for n in range(COUNT)])),
                    st.sets(st.sampled_from(sorted({example.image_sha256 for example in examples})), max_size=5),
                    st.sets(st.sampled_from(sorted({str(example.article) for example in examples})), max_size=5),
                ),
                min_size=1,
                max_size=4,
            )
        )
        def check(asked: list[tuple[int, int, set[str], set[str], set[str]]]) -> None:
            queries = [
                Query("images", unit_vector(str(seed)), k, frozenset(out), frozenset(files), frozenset(articles))
                for seed, k, out, files, articles in asked
            ]
            for query, found in zip(queries, index.search(queries), strict=True):
                scores = np.round(vectors.astype(np.float64) @ query.vector.astype(np.float64), 6)
                allowed = [
                    (-score, example.id)
                    for score, example in zip(scores.tolist(), examples, strict=True)
                    if example.id not in query.exclude_ids
                    and example.image_sha256 not in query.exclude_sha256
                    and example.article not in query.exclude_articles
                ]
                expected = sorted(allowed)[: query.k]
                assert [(-evidence.score, evidence.id) for evidence in found] == expected
                assert [evidence.rank for evidence in found] == list(range(1, len(found) + 1))

        check()


def test_a_batch_finds_what_one_at_a_time_finds(built: Path) -> None:
    queries = [Query("images", unit_vector(str(n)), k=5) for n in range(40)]
    queries += [Query("passages", unit_vector(str(n)), k=3) for n in range(40)]
    with open_index(built) as index:
        assert index.search(queries) == [index.search([query])[0] for query in queries]
        assert index.search([]) == []


def test_passages_are_excluded_by_chunk_document_and_article(built: Path) -> None:
    with open_index(built) as index:

        def ids(**exclude: frozenset[str]) -> set[str]:
            found = index.search([Query("passages", unit_vector("x"), k=100, **exclude)])[0]
            return {evidence.id for evidence in found}

        everything = ids()
        assert {"d0#0", "d0#1", "d3#0"} < everything
        assert ids(exclude_ids=frozenset({"d0#1"})) == everything - {"d0#1"}
        assert not any(id_.startswith("d0#") for id_ in ids(exclude_ids=frozenset({"d0"})))
        odd = ids(exclude_articles=frozenset({"P0"}))
        assert {id_.split("#")[0] for id_ in odd} == {"d1", "d3"}


def test_thousands_of_exclusions(built: Path) -> None:
    many = frozenset(f"unknown{n}" for n in range(3000)) | {f"r{n}" for n in range(COUNT - 2)}
    with open_index(built) as index:
        found = index.search([Query("images", unit_vector("x"), k=5, exclude_ids=many)])[0]
        assert {evidence.id for evidence in found} == {f"r{COUNT - 2}", f"r{COUNT - 1}"}


def test_ties_beyond_k_are_ordered_by_id(tmp_path: Path) -> None:
    same = np.tile(unit_vector("same"), (500, 1))
    vectors = VectorFile.write(tmp_path / "v.faiss", DIM, [(np.arange(500), same)])
    ((rows, scores),) = vectors.nearest(unit_vector("same")[None], [2])
    assert sorted(rows.tolist()) == list(range(500))
    assert set(scores.tolist()) == {1.0}


def test_no_query_reads_through_all_records(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, dict[str, object]]] = []
    select = Snapshot.select

    def noted(snapshot: Snapshot, sql: str, values: dict[str, object]) -> list[sqlite3.Row]:
        asked.append((sql, {"generation": 1, **values}))
        return select(snapshot, sql, values)

    monkeypatch.setattr(Snapshot, "select", noted)
    with open_index(built) as index:
        example = index.examples(["r7"])[0]
        out = {"exclude_ids": frozenset({"r7"}), "exclude_articles": frozenset({"c2", "P1"})}
        own = frozenset({example.image_sha256})
        index.search([Query("images", unit_vector("x"), 3, exclude_sha256=own, **out)])
        index.search([Query("passages", unit_vector("x"), 3, **out)])
        image = imaging.load(built.parent / "pictures/images/7.png")
        assert {"r6", "r7"} <= {copy.id for copy in index.copies_of([image])}
    with closing(connect(built / DATABASE)) as database:
        plans = {row[3] for sql, values in asked for row in database.execute(f"EXPLAIN QUERY PLAN {sql}", values)}
    plans = {plan for plan in plans if plan.startswith(("SEARCH", "SCAN"))}  # the others only say how these are nested
    assert plans == {
        "SCAN asked VIRTUAL TABLE INDEX 1:",
        "SEARCH records USING INDEX records_vector (vector=?)",
        "SEARCH other USING COVERING INDEX records_vector (vector=?)",
        "SEARCH records USING INDEX records_id (kind=? AND id=?)",
        "SEARCH records USING INDEX records_source_id (source_id=?)",
        "SEARCH records USING INDEX records_article (article=?)",
        "SEARCH records USING INDEX records_image (image_sha256=?)",
        "SEARCH records USING INDEX records_phash (phash=?)",
        "SEARCH records USING INTEGER PRIMARY KEY (rowid=?)",
    }


def test_look_ups(built: Path) -> None:
    with open_index(built) as index:
        first, second = index.examples(["r7", "r2"])
        assert (first.id, second.id, second.article) == ("r7", "r2", "c0")
        assert first.thumbnail.startswith(b"\xff\xd8")
        assert len(first.phash) == 16
        (passage,) = index.passages(["d1#0"])
        assert (passage.source_id, passage.article) == ("d1", "P1")
        with pytest.raises(RecordNotFoundError, match="no record 'nobody'"):
            index.examples(["r1", "nobody"])


def test_info(built: Path) -> None:
    with open_index(built) as index:
        info = index.info()
    assert info.kinds["example"] == COUNT
    assert info.sources["pictures"] == COUNT
    assert info.licenses == {"unknown": sum(info.kinds.values())}
    assert {space.name: space.dim for space in info.spaces} == {"images": DIM, "passages": DIM}
    assert info.size_bytes == sum(file.stat().st_size for file in built.iterdir())


def test_wrong_queries_are_refused(built: Path) -> None:
    with open_index(built) as index:
        with pytest.raises(QueryError, match="no space 'sounds'; it has images, passages"):
            index.search([Query("sounds", unit_vector("x"), 1)])
        with pytest.raises(QueryError, match="holds 16-d vectors"):
            index.search([Query("images", np.ones(3, np.float32), 1)])


def test_no_index_at_the_path(tmp_path: Path) -> None:
    with pytest.raises(IndexNotFoundError, match=r"does not exist\. Build one: python cli.py index build CONFIG"):
        open_index(tmp_path / "nowhere")
    with pytest.raises(IndexNotFoundError, match="is no index"):
        open_index(tmp_path)


def test_another_embedder_under_the_same_name(built: Path, hashes: Embedders, monkeypatch: pytest.MonkeyPatch) -> None:
    from index_makers import HashEmbedder

    assert hashes.created
    with open_index(built) as index:
        assert index.embedder_for("images") is index.embedder_for("images")
    create = HashEmbedder.__init__

    def changed(self: HashEmbedder, name: str, config: object) -> None:
        create(self, name, config)  # type: ignore[arg-type]
        self.fingerprint = self.revision = "0" * 64

    monkeypatch.setattr(HashEmbedder, "__init__", changed)
    with (
        open_index(built) as index,
        pytest.raises(EmbedderMismatchError, match=r"was built with hash:hash-images@.*is now .*@00000000 .*--rebuild"),
    ):
        index.embedder_for("images")


@pytest.mark.parametrize("where", [0.02, 0.3, 0.6, 0.9, 0.999])
@pytest.mark.parametrize("pattern", ["images-*.faiss", "passages-*.faiss", "records.sqlite", "manifest.json"])
def test_verify_finds_one_flipped_byte(built: Path, pattern: str, where: float) -> None:
    (file,) = built.glob(pattern)
    assert verify_index(built, embed=False).ok
    data = bytearray(file.read_bytes())
    data[int(len(data) * where)] ^= 0x10
    file.write_bytes(data)
    try:
        assert not verify_index(built, embed=False).ok
    except IndexCorruptError as error:
        assert "\n" not in str(error)  # noqa: PT017


def test_verify_finds_a_changed_record_even_while_a_build_is_under_way(built: Path) -> None:
    import sqlite3

    with sqlite3.connect(built / "records.sqlite") as connection:
        connection.execute("UPDATE records SET license = 'CC0' WHERE id = 'r9'")
        connection.execute("INSERT INTO builds VALUES (2, '{}', NULL, 'now', NULL)")
    connection.close()
    report = verify_index(built, embed=False)
    assert report.problems == ("record 'r9' (example) is not what was written",)
    assert report.skipped


def test_verify_embeds_again(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = verify_index(built)
    assert report.ok
    assert "space images: 8 records embedded again" in report.checked
    (tmp_path / "pictures/images/0.png").unlink()
    assert any("0.png" in line for line in verify_index(built).skipped)
    from index_makers import HashEmbedder

    monkeypatch.setattr(HashEmbedder, "_embed", lambda _self, keys: np.stack([unit_vector(k + "!") for k in keys]))
    assert "embedded again differs" in verify_index(built).problems[0]


@pytest.mark.parametrize("name", ["manifest.json", "records.sqlite"])
def test_damage_is_one_line_and_a_rebuild_mends_it(tmp_path: Path, built: Path, hashes: Embedders, name: str) -> None:
    config = index_config(built, folder_config(tmp_path / "pictures"), **hashes.names)
    data = (built / name).read_bytes()
    (built / name).write_bytes(b"x" * 100 + data[100:])
    with pytest.raises(IndexCorruptError, match=r"damaged.*--rebuild") as error:
        open_index(built)
    assert "\n" not in str(error.value)
    with pytest.raises(IndexCorruptError):
        build_index(config, progress=False)
    report = build_index(config, progress=False, rebuild=True)
    assert report.counts == {"example": COUNT}
    assert verify_index(built).ok


def test_a_truncated_or_missing_vector_file(built: Path) -> None:
    (file,) = built.glob("images-*.faiss")
    file.write_bytes(file.read_bytes()[:100])
    with (
        open_index(built) as index,
        pytest.raises(IndexCorruptError, match="damaged: its SHA-256 is not the manifest's"),
    ):
        index.search([Query("images", unit_vector("x"), 1)])
    file.unlink()
    with open_index(built) as index, pytest.raises(IndexCorruptError, match="missing"):
        index.search([Query("images", unit_vector("x"), 1)])
    assert not verify_index(built, embed=False).ok


def test_a_flipped_byte_anywhere_is_found_and_never_gives_a_wrong_answer(built: Path, tmp_path: Path) -> None:
    queries = [
        Query("images", unit_vector("x"), 5),
        Query("passages", unit_vector("y"), 5, text="Sentence 2 17 is long"),
    ]
    with open_index(built) as index:
        right = index.search(queries)
    rng = np.random.default_rng(0)
    files = [file.name for file in sorted(built.iterdir()) if file.stat().st_size]
    assert {name.split(".")[-1] for name in files} == {"json", "sqlite", "faiss"}
    for turn, name in enumerate(files * 8):
        damaged = tmp_path / f"damaged{turn}"
        shutil.copytree(built, damaged)
        data = bytearray((damaged / name).read_bytes())
        place = int(rng.integers(len(data)))
        data[place] ^= 1 << int(rng.integers(8))
        (damaged / name).write_bytes(data)
        where = f"byte {place} of {name}"
        assert refused(lambda folder=damaged: open_index(folder).search(queries)) in (None, right), where
        report = refused(lambda folder=damaged: verify_index(folder, embed=False))
        assert report is None or not report.ok, where


def refused(read: Callable[[], Any]) -> Any:
    """What `read` gives; None where it says that the index is damaged."""
    try:
        return read()
    except IndexCorruptError as error:
        if "damaged" not in str(error):
            raise
        return None


def test_a_manifest_of_another_schema(built: Path) -> None:
    file = built / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "schema_version": 99}))
    with pytest.raises(IndexCorruptError, match="schema 99, this version reads 3"):
        open_index(built)


def test_a_read_only_folder_can_be_read(built: Path) -> None:
    for file in built.iterdir():
        file.chmod(0o444)
    built.chmod(0o555)
    try:
        with open_index(built) as index:
            assert len(index.search([Query("images", unit_vector("x"), 3)])[0]) == 3
    finally:
        built.chmod(0o755)


def test_opening_an_index_imports_nothing_heavy(built: Path) -> None:
    code = f"""
import sys
import indexer
with indexer.open_index({str(built)!r}) as index:
    index.info()
    index.examples(["r1"])
heavy = {{"torch", "open_clip", "sentence_transformers", "transformers", "faiss", "pyarrow"}} & set(sys.modules)
assert not heavy, heavy
"""
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root, timeout=60)


def test_records_drawn_at_random_are_none_that_are_excluded(built: Path) -> None:
    with open_index(built) as index:
        vector = unit_vector("query")
        left = Query("images", vector, 100, exclude_articles=frozenset({"c0"}), exclude_ids=frozenset({"r5"}))
        (everything,) = index.draw([left], seed=0)
        scores = {found.id: found.score for found in index.search([left])[0]}
        assert {found.id: found.score for found in everything} == scores
        few = [Query("images", vector, 3, exclude_articles=frozenset({"c0"}))] * 30
        drawn = [[found.id for found in several] for several in index.draw(few, seed=0)]
        assert drawn == [[found.id for found in several] for several in index.draw(few, seed=0)]
        assert drawn != [[found.id for found in several] for several in index.draw(few, seed=1)]
        assert {len(ids) for ids in drawn} == {3}
        assert len({id_ for ids in drawn for id_ in ids}) > 20
        with pytest.raises(QueryError, match="index"):
            index.draw([Query("images", vector[:2], 1)], seed=0)
