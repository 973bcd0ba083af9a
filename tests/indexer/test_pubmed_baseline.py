"""PubMed's yearly files: revisions folded, deletions, damage, counts, memory. Layouts: see pubmed_makers."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from index_makers import WordCounter
from pubmed_makers import NOTICE, RETRACTED, article, article_set, linked

from indexer import IndexConfig, Passage, Source, SourceError, SourceFailure
from indexer.sources import open_source
from indexer.sources.context import SourceContext
from indexer.sources.file_counts import NAME
from indexer.sources.pmids import PmidSet

DELETE = "<DeleteCitation>{}</DeleteCitation>"


def write(folder: Path, number: int, *records: str, md5: str | None = "right", year: int = 26) -> Path:
    """A file as NLM names it, with the `.md5` beside it ("MD5(NAME)= ...", as on its FTP site)."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"pubmed{year}n{number:04d}.xml.gz"
    path.write_bytes(gzip.compress(article_set(*records)))
    if md5 is not None:
        said = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() if md5 == "right" else md5
        path.with_name(f"{path.name}.md5").write_text(f"MD5({path.name})= {said}\n")
    return path


def source(folder: Path, **changes: Any) -> Source:
    data = {"kind": "pubmed_baseline", "path": str(folder), **changes}
    return open_source(
        IndexConfig.model_validate({"out": "x", "sources": [data]}).sources[0], SourceContext(WordCounter())
    )


def said(pmid: int, text: str) -> str:
    return article(pmid, f"<AbstractText>{text}</AbstractText>")


def texts(folder: Path) -> list[tuple[str, str]]:
    return [(item.source_id, item.text) for item in source(folder) if isinstance(item, Passage)]


def failures(folder: Path) -> list[SourceFailure]:
    return [item for item in source(folder) if isinstance(item, SourceFailure)]


def test_the_newest_revision_wins_and_what_is_deleted_is_gone(tmp_path: Path) -> None:
    baseline, updates = tmp_path / "baseline", tmp_path / "updatefiles"
    write(baseline, 1, *(said(pmid, f"First of {pmid}.") for pmid in range(1, 8)))
    write(baseline, 2, said(20, "First of 20."), said(21, "First of 21."))
    write(
        updates, 1275, said(2, "Second of 2."), said(3, "Second of 3."), DELETE.format("<PMID>4</PMID><PMID>5</PMID>")
    )
    write(
        updates,
        1276,
        said(3, "Third of 3."),
        said(6, "In vain."),
        said(5, "Back again."),
        said(7, "Second of 7."),
        said(7, "Third of 7."),
        DELETE.format('<PMID Version="1">6</PMID><PMID>999</PMID>'),
    )
    assert texts(tmp_path) == [
        ("3", "Third of 3."),
        ("5", "Back again."),
        ("7", "Third of 7."),
        ("2", "Second of 2."),
        ("20", "First of 20."),
        ("21", "First of 21."),
        ("1", "First of 1."),
    ]
    assert texts(tmp_path) == texts(tmp_path)


def test_a_revision_without_an_abstract_wins_too_and_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, 1, said(1, "First."), said(2, "First."))
    write(tmp_path, 2, article(1, None))
    assert texts(tmp_path) == [("2", "First.")]
    assert "1 of 2 records have no abstract and are left out" in caplog.text


def test_what_passages_carry(tmp_path: Path) -> None:
    ids = '<ArticleId IdType="pmc">PMC12</ArticleId>'
    write(tmp_path, 1, article(11, mesh=("Lung",), ids=ids))
    (item,) = source(tmp_path, mesh=True, source="nlm")
    assert isinstance(item, Passage)
    assert (item.id, item.source, item.article, item.year) == ("11#0", "nlm", "PMC12", 2001)
    assert item.text.endswith("MeSH terms: Lung.")


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def not_gzip(path: Path) -> None:
    path.write_bytes(b"<html>404</html>")


def malformed(path: Path) -> None:
    path.write_bytes(gzip.compress(article_set(said(1, "New."))[:-40]))


def bomb(path: Path) -> None:
    path.write_bytes(gzip.compress(b'<!DOCTYPE x [<!ENTITY a "b">]><PubmedArticleSet></PubmedArticleSet>'))


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [cut_short, not_gzip, malformed, bomb, flipped])
@pytest.mark.parametrize("with_md5", [True, False])
def test_a_damaged_file_is_one_failure_and_older_revisions_count(tmp_path: Path, damage: Any, with_md5: bool) -> None:
    write(tmp_path, 1, said(1, "Old."), said(2, "Old."))
    path = write(tmp_path, 2, said(1, "New."), said(3, "New."), md5="right" if with_md5 else None)
    damage(path)
    (failure,) = failures(tmp_path)
    assert (failure.source, failure.id) == ("pubmed", "pubmed26n0002.xml.gz")
    assert failure.reason.endswith("Nothing of it is used: fetch it again")
    assert ("its MD5 is " in failure.reason) == with_md5
    assert "\n" not in failure.reason
    assert texts(tmp_path) == [("1", "Old."), ("2", "Old.")]
    assert len(source(tmp_path)) == 3


@pytest.mark.parametrize("md5", ["0" * 32, "no checksum"])
def test_a_checksum_that_does_not_match(tmp_path: Path, md5: str) -> None:
    write(tmp_path, 1, said(1, "Whole."), md5=md5)
    (failure,) = failures(tmp_path)
    assert f"pubmed26n0001.xml.gz.md5 says {'none' if md5 == 'no checksum' else md5}" in failure.reason


def test_a_bad_record_is_a_failure_and_the_rest_goes_on(tmp_path: Path) -> None:
    write(tmp_path, 1, article(""), said(2, "Fine."), article("9" * 11))
    assert failures(tmp_path) == [
        SourceFailure("pubmed", "pubmed26n0001.xml.gz: record 1", "it has no PMID"),
        SourceFailure("pubmed", "pubmed26n0001.xml.gz: record 3", "its PMID is '99999999999'"),
    ]
    assert texts(tmp_path) == [("2", "Fine.")]


def test_a_retraction_in_an_update_file_takes_the_article_out(tmp_path: Path) -> None:
    write(tmp_path, 1, said(1, "First."), said(2, "Second."), said(3, "Third."))
    assert len(source(tmp_path)) == 3
    cited = linked(("RetractionIn", "Lancet. 2010 Feb 6;375(9713):445"), ("ErratumIn", "Lancet. 2004"))
    notice = article(4, types=NOTICE, after=linked(("RetractionOf", "Lancet. 1998;351:637")))
    doubted = article(2, "<AbstractText>Second.</AbstractText>", after=linked(("ExpressionOfConcernIn", "Lung. 2009")))
    write(tmp_path, 2, article(1, types=RETRACTED, after=cited), doubted, notice, article(5, None, types=RETRACTED))
    assert failures(tmp_path) == [
        SourceFailure("pubmed", "1", "retracted: Lancet. 2010 Feb 6;375(9713):445"),
        SourceFailure("pubmed", "4", "notice of retraction: Lancet. 1998;351:637"),
    ]
    titles = {item.id: item.title for item in source(tmp_path) if isinstance(item, Passage)}
    assert titles == {"2#0": "Expression of concern: Air in the pleural space.", "3#0": "Air in the pleural space."}
    assert len(source(tmp_path)) == 4
    marked = source(tmp_path, retracted="mark")
    assert {item.id: item.title for item in marked if isinstance(item, Passage)} == {
        **titles,
        "1#0": "Retracted: Air in the pleural space.",
        "4#0": "Notice of retraction: Air in the pleural space.",
    }
    assert len(marked) == len(source(tmp_path)) == 4


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such folder"):
        len(source(tmp_path / "nowhere"))
    (tmp_path / "other.xml.gz").write_bytes(b"")
    with pytest.raises(SourceError, match=r"no PubMed files \(pubmed26n0001\.xml\.gz, \.\.\.\) in it\. Get https://"):
        list(source(tmp_path))
    write(tmp_path, 1, said(1, "New."))
    write(tmp_path, 1500, said(1, "Old."), year=25)
    with pytest.raises(SourceError, match="files of the years 25, 26"):
        len(source(tmp_path))


def test_len_is_exact_and_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = "A sentence about air in the chest. " * 100
    write(tmp_path, 1, said(1, "Old."), said(2, "Two."), said(4, long), article(""))
    write(tmp_path, 2, said(1, long), said(3, "Three."))
    items = list(source(tmp_path))
    exact = sum(isinstance(item, SourceFailure) or item.id.endswith("#0") for item in items)
    (tmp_path / NAME).unlink()
    assert len(source(tmp_path)) == exact == 5
    assert len(items) > 6
    monkeypatch.setattr("indexer.sources.pubmed_baseline.read_file", None)  # nothing is read again
    assert len(source(tmp_path)) == exact


def test_counts_follow_the_files(tmp_path: Path) -> None:
    write(tmp_path, 1, said(1, "Old."), said(2, "Two."))
    assert len(source(tmp_path)) == 2
    write(tmp_path, 1, said(1, "Old."), said(2, "Two."), said(3, "Three."))
    assert len(source(tmp_path)) == 3
    write(tmp_path, 2, said(9, "Nine."))
    assert len(source(tmp_path)) == 4
    (tmp_path / NAME).write_text('{"pubmed26n0001.xml.gz documents": [1, 2')
    assert len(source(tmp_path)) == 4
    (tmp_path / NAME).write_text(
        json.dumps({"pubmed26n0001.xml.gz documents": "x", "pubmed26n0002.xml.gz documents": []})
    )
    assert len(source(tmp_path)) == 4


def test_len_of_much_is_an_estimate_from_a_few_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexer.sources.pubmed_baseline.COUNTED_BYTES", 100)
    for number in range(1, 11):
        write(tmp_path, number, *(said(100 * number + n, f"Text {n} of {number}.") for n in range(20)))
    read: list[str] = []
    from indexer.sources import pubmed_baseline

    real = pubmed_baseline.read_file
    monkeypatch.setattr(pubmed_baseline, "read_file", lambda path, met: (read.append(path.name), real(path, met))[1])
    assert 180 <= len(source(tmp_path)) <= 220
    assert len(read) == 3
    assert len(list(source(tmp_path))) == len(source(tmp_path)) == 200


def test_a_folder_that_cannot_be_written_to_is_read_all_the_same(tmp_path: Path) -> None:
    write(tmp_path, 1, said(1, "One."))
    (tmp_path / f"{NAME}.part").mkdir()
    assert len(source(tmp_path)) == len(list(source(tmp_path))) == 1
    assert not (tmp_path / NAME).exists()


def test_memory_does_not_grow_with_the_files(tmp_path: Path) -> None:
    def peak(files: int) -> int:
        folder = tmp_path / str(files)
        for number in range(1, files + 1):
            write(folder, number, *(said(1000 * number + n, f"Text {n} of {number}. " * 40) for n in range(300)))
        items = iter(source(folder))
        next(items)
        tracemalloc.start()
        assert sum(1 for _ in items) > files * 299
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    few, many = peak(2), peak(8)
    assert many < 1.15 * few


@given(st.lists(st.integers(1, 5000), max_size=200), st.lists(st.integers(1, 6000)))
def test_a_bitmap_is_a_set(added: list[int], asked: list[int]) -> None:
    bits, plain = PmidSet(), set[int]()
    for pmid in added:
        assert bits.add(pmid) == (pmid not in plain)
        plain.add(pmid)
    assert all((pmid in bits) == (pmid in plain) for pmid in itertools.chain(added, asked))


def test_no_pmid_is_kept() -> None:
    for wrong in (0, -1, 10**9):
        with pytest.raises(ValueError, match="is no PMID"):
            PmidSet().add(wrong)
