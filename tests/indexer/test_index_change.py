"""Words beside vectors, filters, and taking records out again."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from conftest import Embedders
from index_makers import folder_config, index_config, text_config, unit_vector, write_images, write_jsonl

from indexer import (
    Filter,
    Query,
    QueryError,
    RecordNotFoundError,
    add_to_index,
    build_index,
    compact_index,
    open_index,
    remove_from_index,
    verify_index,
)
from indexer.filters import condition
from indexer.ledger import Ledger
from indexer.manifest import DATABASE
from indexer.words import Stemmer, query_of

TEXTS = {
    "d0": ("Pneumothorax", "Air in the pleural space collapses the lung.", "CC BY 4.0", 2019),
    "d1": ("Effusion", "Fluids in the pleural spaces; a chest drain helps.", "CC BY-NC 4.0", 2021),
    "d2": ("Gallstones", "Stones in the gallbladder cause colic.", "CC BY 4.0", 2021),
    "d3": ("Naïve cells", "The lungs were not seen.", None, None),
}


@pytest.fixture
def built(tmp_path: Path, hashes: Embedders) -> Path:
    """Four texts and nine images, three to an article, of two sources and two modalities."""
    for name, modality in (("ct", "CT"), ("mr", "MR")):
        records = write_images(tmp_path / name, 5 if name == "ct" else 4, start=0 if name == "ct" else 5)
        write_jsonl(tmp_path / name / "records.jsonl", [{**r, "modality": modality} for r in records])
    rows = [{"id": i, "title": t, "text": x, "license": c, "year": y} for i, (t, x, c, y) in TEXTS.items()]
    texts = text_config(
        write_jsonl(tmp_path / "texts.jsonl", rows), fields={"title": "title", "license": "license", "year": "year"}
    )
    fields = {"id": "id", "image": "image", "caption": "caption", "article": "case", "modality": "modality"}
    folders = [folder_config(tmp_path / name, fields=fields) for name in ("ct", "mr")]
    build_index(index_config(tmp_path / "ix", *folders, texts, **hashes.names), progress=False)
    return tmp_path / "ix"


def found(path: Path, text: str, k: int = 4, only: Filter = Filter(), **more: frozenset[str]) -> list[str]:  # noqa: B008 - frozen
    with open_index(path) as index:
        query = Query("passages", unit_vector(text), k, text=text, only=only, **more)
        return [evidence.id for evidence in index.search([query])[0]]


def test_words_find_what_vectors_of_hashes_cannot(built: Path) -> None:
    with open_index(built) as index:
        query = Query("passages", unit_vector("q"), 4, text="fluid: is a DRAIN needed?")
        hits = index.search([query])[0]
    assert hits[0].id == "d1#0"  # "fluids" by its stem, "drain" whatever its case
    assert hits[0].found_by == ("vectors", "words")
    assert [hit.rank for hit in hits] == [1, 2, 3, 4]
    assert hits[0].score == pytest.approx(
        float(unit_vector("Effusion\n" + TEXTS["d1"][1]) @ unit_vector("q")), abs=1e-6
    )


def test_common_words_are_counted_once_a_generation_and_not_at_each_query(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.words.COMMON", 2)
    more = [{"id": f"e{n}", "text": f"Colic, a drain, case {n}."} for n in range(2)]
    texts = text_config(write_jsonl(tmp_path / "more.jsonl", more))
    add_to_index(built, index_config(built, texts).sources, progress=False)
    with closing(sqlite3.connect(built / DATABASE)) as database:
        counted = dict(database.execute("SELECT term, doc FROM passage_words_common"))
        known = dict(database.execute("SELECT term, doc FROM passage_words_known"))
    assert counted == {term: count for term, count in known.items() if count >= 2}
    assert (counted["drain"], counted["colic"], "gallbladd" in counted) == (3, 3, False)
    with open_index(built) as index:
        asked: list[str] = []
        select = index._snapshot.select
        monkeypatch.setattr(index._snapshot, "select", lambda sql, values: asked.append(sql) or select(sql, values))
        query = Query("passages", unit_vector("q"), 6, text="drains colic")
        (hits,) = index.search([query])
    assert {"e0#0", "e1#0"} <= {hit.id for hit in hits if "words" in hit.found_by}
    assert any("_common" in sql for sql in asked)
    assert not any("_known" in sql for sql in asked)


def test_titles_count_and_accents_do_not(built: Path) -> None:
    assert found(built, "gallstones")[0] == "d2#0"
    assert found(built, "naive")[0] == "d3#0"


@pytest.mark.parametrize(
    "text", ['" OR * NEAR(', "text:drain AND NOT", "", "?!", "zzz qqq", "''); DROP TABLE records;"]
)
def test_no_text_breaks_the_query_language(built: Path, text: str) -> None:
    assert len(found(built, text)) == 4


def test_exclusions_hold_for_words_too(built: Path) -> None:
    assert "d1#0" not in found(built, "chest drain", exclude_ids=frozenset({"d1"}))


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (Filter(licenses=frozenset({"cc by 4.0"})), {"d0", "d2"}),
        (Filter(without_licenses=frozenset({"nc"})), {"d0", "d2"}),
        (Filter(allow_licenses=frozenset({"cc-by"})), {"d0", "d2"}),
        (
            Filter(allow_licenses=frozenset({"CC BY", "https://creativecommons.org/licenses/by-nc/3.0/"})),
            {"d0", "d1", "d2"},
        ),
        (Filter(allow_licenses=frozenset({"CC0"})), set()),
        (Filter(allow_licenses=frozenset({"CC BY"}), year_from=2020), {"d2"}),
        (Filter(year_from=2020), {"d1", "d2"}),
        (Filter(year_from=2019, year_to=2019), {"d0"}),
        (Filter(year_from=2020, licenses=frozenset({"CC BY 4.0"})), {"d2"}),
        (Filter(sources=frozenset({"TEXTS"})), {"d0", "d1", "d2", "d3"}),
        (Filter(sources=frozenset({"elsewhere"})), set()),
    ],
)
def test_filters_hold_for_vectors_and_words(built: Path, only: Filter, expected: set[str]) -> None:
    assert {id_.split("#")[0] for id_ in found(built, "pleural stones", only=only)} == expected
    with open_index(built) as index:
        plain = index.search([Query("passages", unit_vector("x"), 4, only=only)])[0]
    assert {hit.id.split("#")[0] for hit in plain} == expected


def test_as_many_are_found_as_were_asked_for_among_the_licences_allowed(built: Path) -> None:
    only = Filter(allow_licenses=frozenset({"CC-BY-4.0"}))
    assert len(found(built, "Fluids in the pleural spaces; a chest drain helps.", k=2, only=only)) == 2


def test_an_indexs_version_is_of_all_its_vectors(built: Path) -> None:
    with open_index(built) as index:
        before = index.version
        passages = index.manifest.spaces["passages"].model_copy(update={"sha256": "0" * 64})
        spaces = {**index.manifest.spaces, "passages": passages}
        index._snapshot.manifest = index.manifest.model_copy(update={"spaces": spaces})
        assert index.version != before
        assert index.version.startswith(f"{built}@1:")


def test_a_filter_searches_exactly_among_what_it_lets_through(built: Path) -> None:
    with open_index(built) as index:
        ids = [f"r{n}" for n in range(5, 9)]
        vectors = np.stack([unit_vector(e.image_sha256) for e in index.examples(ids)])
        query = Query("images", unit_vector("q"), 3, only=Filter(modalities=frozenset({"mr"})))
        hits = index.search([query, Query("images", unit_vector("q"), 9)])
    order = np.argsort(-(vectors @ query.vector))[:3]
    assert [hit.id for hit in hits[0]] == [ids[place] for place in order]
    assert len(hits[1]) == 9


def test_a_modality_is_found_by_its_first_words() -> None:
    passes, named = condition(Filter(modalities=frozenset({"CT", "mr - T2"})))
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE records (modality TEXT)")
        names = ("CT", "CT - noncontrast", "CTA", "MR - T2 weighted", "MR", "mr - t2", None)
        connection.executemany("INSERT INTO records VALUES (?)", [(name,) for name in names])
        found = {row[0] for row in connection.execute(f"SELECT modality FROM records WHERE {passes}", named)}  # noqa: S608
    assert found == {"CT", "CT - noncontrast", "MR - T2 weighted", "mr - t2"}


def test_common_words_are_left_out_where_rare_ones_are_there() -> None:
    words = Stemmer().words("the lungs and pneumothorax of the lung")
    assert words["pneumothorax"] == "pneumothorax"
    assert words["lung"] == "lungs"
    known = {"lung": 900_000, "pneumothorax": 800, "of": 999_999}
    assert query_of(words, known) == '"pneumothorax"'
    assert query_of(words, {"lung": 25_000}) == '"lungs"'
    assert query_of(words, {"lung": 900_000}) == ""
    assert query_of(words, {}) == ""


def test_removing_by_source_id_and_article(built: Path) -> None:
    report = remove_from_index(built, sources=["mr"], ids=["d1", "r0"], articles=["c1"])
    assert report.generation == 2
    assert report.removed == 4 + 2 + 2  # images 5 to 8; d1 and r0; of article c1 (3, 4, 5) what is not of mr
    with open_index(built) as index:
        info = index.info()
        assert info.kinds == {"passage": 3, "example": 2}
        assert {hit.id for hit in index.search([Query("images", unit_vector("q"), 9)])[0]} == {"r1", "r2"}
    assert "d1#0" not in found(built, "chest drain")
    assert verify_index(built, embed=False).ok


def test_what_was_removed_comes_back_only_by_building_it_again(built: Path, tmp_path: Path) -> None:
    remove_from_index(built, sources=["mr"])
    rows = [{"id": "new", "text": "A new text."}]
    add_to_index(built, [index_config(built, text_config(write_jsonl(tmp_path / "more.jsonl", rows))).sources[0]])
    with open_index(built) as index:
        assert index.info().kinds == {"example": 5, "passage": 5}
        assert [source["path"].split("/")[-1] for source in index.manifest.config["sources"]] == [
            "ct", "texts.jsonl", "more.jsonl",
        ]  # fmt: skip


def test_removing_nothing_or_everything_is_refused(built: Path) -> None:
    with pytest.raises(QueryError, match="name what to remove"):
        remove_from_index(built)
    with pytest.raises(RecordNotFoundError, match="has no records of r99; it is as it was"):
        remove_from_index(built, ids=["r99"])
    with pytest.raises(QueryError, match="nothing would be left"):
        remove_from_index(built, sources=["ct", "mr", "texts"])
    with open_index(built) as index:
        assert (index.generation, len(index)) == (1, 13)


def test_a_reader_goes_on_while_records_go(built: Path) -> None:
    with open_index(built) as index:
        assert len(index.search([Query("images", unit_vector("q"), 9)])[0]) == 9
        remove_from_index(built, sources=["mr"])
        assert len(index.search([Query("images", unit_vector("q"), 9)])[0]) == 9  # the generation it has open
        compact_index(built)
        assert len(index.search([Query("images", unit_vector("q"), 9)])[0]) == 5


def test_compacting_gives_space_back_and_keeps_everything_else(built: Path, tmp_path: Path) -> None:
    before = found(built, "pleural fluid")
    rows = [{"id": f"x{n}", "text": f"word{n} " * 300} for n in range(200)]
    add_to_index(built, [index_config(built, text_config(write_jsonl(tmp_path / "long.jsonl", rows))).sources[0]])
    remove_from_index(built, sources=["long"])
    report = compact_index(built)
    assert report.bytes_after < report.bytes_before / 2
    assert found(built, "pleural fluid") == before
    assert verify_index(built, embed=False).ok
    with open_index(built) as index:
        assert index.generation == report.generation


def test_killed_while_it_shrinks_the_index_is_sound(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(ledger: Ledger) -> None:
        compact(ledger)
        raise KeyboardInterrupt

    compact = Ledger.compact
    remove_from_index(built, ids=["d1"])
    monkeypatch.setattr(Ledger, "compact", killed)
    with pytest.raises(KeyboardInterrupt):
        compact_index(built)
    assert verify_index(built, embed=False).ok


def test_the_words_are_those_of_the_records(built: Path) -> None:
    remove_from_index(built, ids=["d1"])
    compact_index(built)
    with closing(sqlite3.connect(built / DATABASE)) as connection:
        connection.execute("INSERT INTO example_words (example_words, rank) VALUES ('integrity-check', 1)")
        connection.execute("INSERT INTO passage_words (passage_words, rank) VALUES ('integrity-check', 1)")
        known = dict(connection.execute("SELECT term, doc FROM passage_words_known"))
    assert "drain" not in known
    assert known["gallbladd"] == 1
