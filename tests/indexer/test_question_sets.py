"""Sets of questions and reports, tiny and made up, in the layouts of the hub's releases.

Columns, splits and file names: https://huggingface.co/datasets/flaviagiammarino/vqa-rad/blob/main/README.md and
https://huggingface.co/datasets/flaviagiammarino/vqa-rad/commits/bcf91e7654fb9d51c8ab6a5b82cacf3fafd2fae9/data
(`data/train-00000-of-00001-eb8844602202be60.parquet`),
https://huggingface.co/datasets/flaviagiammarino/path-vqa/viewer/default/train,
https://huggingface.co/datasets/adishourya/MEDPIX-ShortQA/raw/main/README.md (the image is in `image_id`),
https://search.r-project.org/CRAN/refmans/clinspacy/html/dataset_mtsamples.html and
https://huggingface.co/datasets/NickyNicky/medical_mtsamples/tree/main (`mtsamples (1).csv`; its first column, the
record's number, has no name).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from index_makers import WordCounter, index_config
from test_image_refs import png

from indexer import IndexConfig, Passage, Source, SourceError, SourceFailure, build_index
from indexer.images import ParquetImage
from indexer.sources import open_source
from indexer.sources.context import SourceContext
from indexer.sources.mtsamples import Transcription, on_lines, read_transcriptions
from indexer.sources.questions import Question, answer_type, read_questions

REPORTS = (
    ",description,medical_specialty,sample_name,transcription,keywords\n"
    '0,2-D M-Mode. Doppler. , Cardiovascular / Pulmonary,2-D Echocardiogram - 1 ,"2-D M-MODE: , ,1.  Left atrial '
    'enlargement.,2.  Normal size.,IMPRESSION: , Enlarged.","cardiovascular / pulmonary, doppler, doppler,"\n'
    "1,Nothing, Surgery,Empty - 1,,\n"
    '2,A visit, Neurology, Visit - 2 ,"SUBJECTIVE:,  The patient is well.",\n'
)


def write_rows(path: Path, image: str, rows: list[dict[str, Any]], rows_a_group: int = 2) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns: dict[str, Any] = {image: pa.array([{"bytes": png(n), "path": None} for n in range(len(rows))], kind)}
    columns |= {name: [row[name] for row in rows] for name in rows[0]}
    pq.write_table(pa.table(columns), path, row_group_size=rows_a_group)


def asked(question: str | None, answer: str | None, **more: Any) -> dict[str, Any]:
    return {"question": question, "answer": answer, **more}


@pytest.fixture
def vqa_rad(tmp_path: Path) -> Path:
    data = tmp_path / "vqa-rad" / "data"
    rows = [asked("are regions of the brain infarcted?", "yes"), asked("which lobe is it?", "right  lobe ")]
    rows += [asked("is it normal?", "No"), asked(None, "yes"), asked("what is it?", " ")]
    write_rows(data / "train-00000-of-00001-eb8844602202be60.parquet", "image", rows)
    write_rows(data / "test-00000-of-00001-e5bc3d208bb4deeb.parquet", "image", [asked("is it?", "no")])
    return tmp_path / "vqa-rad"


def test_questions_with_their_kind_of_answer_and_their_images(vqa_rad: Path) -> None:
    items = list(read_questions("vqa-rad", vqa_rad))
    found = [item for item in items if isinstance(item, Question)]
    assert [item.id for item in found] == ["vqa-rad/train/0", "vqa-rad/train/1", "vqa-rad/train/2", "vqa-rad/test/0"]
    assert [item.answer_type for item in found] == ["closed", "open", "closed", "closed"]
    assert (found[0].question, found[0].answer) == ("are regions of the brain infarcted?", "yes")
    assert (found[1].answer, found[1].split, found[1].source) == ("right  lobe", "train", "vqa-rad")
    assert found[2].image.load().pixels[0, 0].tolist() == [2, 0, 7]
    assert found[2].article is found[2].topic is None
    assert [item for item in items if isinstance(item, SourceFailure)] == [
        SourceFailure("vqa-rad", "vqa-rad/train/3", "its question is missing"),
        SourceFailure("vqa-rad", "vqa-rad/train/4", "its answer is missing"),
    ]
    assert list(read_questions("vqa-rad", vqa_rad, ["test"])) == found[3:]


def test_questions_are_read_a_row_group_at_a_time_and_no_images(vqa_rad: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet as pq

    read: list[list[str]] = []
    honest = pq.ParquetFile.read_row_group

    def counted(self: Any, group: int, columns: list[str], **more: Any) -> Any:
        read.append(list(columns))
        return honest(self, group, columns, **more)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", counted)
    found = read_questions("vqa-rad", vqa_rad)
    next(found)
    assert read == [["question", "answer"]]
    found.close()  # type: ignore[attr-defined]


def test_path_vqa_has_several_files_and_a_validation_split(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for number in range(3):
        name = f"train-{number:05d}-of-00003-e156123ddc01cfe{number}.parquet"
        write_rows(data / name, "image", [asked("what?", f"answer {number}"), asked("is it?", "Yes.")])
    write_rows(data / "validation-00000-of-00001-3d49.parquet", "image", [asked("where?", "liver")])
    write_rows(data / "test-00000-of-00001-2140.parquet", "image", [asked("where?", "lung")])
    found = [item for item in read_questions("path-vqa", tmp_path) if isinstance(item, Question)]
    assert [item.answer for item in found if item.answer_type == "open"] == [
        *(f"answer {n}" for n in range(3)), "liver", "lung"
    ]  # fmt: skip
    assert [item.id for item in found][4:7] == ["path-vqa/train/4", "path-vqa/train/5", "path-vqa/valid/0"]
    assert str(found[5].image) == f"{data}/train-00002-of-00003-e156123ddc01cfe2.parquet!1"


def test_medpix_keeps_its_images_in_image_id_and_says_the_case(tmp_path: Path) -> None:
    more = {"case_id": "MPX1009", "ans_len": 2, "mode": "modality", "split": "Train"}
    write_rows(tmp_path / "data" / "Train-00000-of-00004-1a.parquet", "image_id", [asked("which?", "CT scan", **more)])
    item = next(iter(read_questions("medpix-shortqa", tmp_path, ["train"])))
    assert isinstance(item, Question)
    assert (item.article, item.topic, item.answer_type) == ("MPX1009", "modality", "open")
    assert item.image == ParquetImage(str(tmp_path / "data/Train-00000-of-00004-1a.parquet"), 0, 0, 0, "image_id")
    assert item.image.load().pixels.shape == (8, 9, 3)


def test_questions_that_are_not_there(vqa_rad: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "other" / "train-0.parquet", "picture", [asked("what?", "that")])
    wrong = [
        ("vqa-rda", vqa_rad, None, "no set of questions 'vqa-rda'. Known: vqa-rad, path-vqa, medpix-shortqa"),
        ("vqa-rad", vqa_rad, ["valid"], "has no split 'valid'. It has train, test"),
        ("vqa-rad", tmp_path, None, r"no train-\*.parquet .*data pull vqa-rad"),
        ("vqa-rad", tmp_path / "other", None, "no column 'image'. Columns: picture, question, answer"),
    ]
    for name, path, splits, message in wrong:
        with pytest.raises(SourceError, match=message):
            list(read_questions(name, path, splits))


@pytest.mark.parametrize(
    ("answer", "kind"), [("yes", "closed"), (" No. ", "closed"), ("YES", "closed"), ("no lesion", "open"), ("", "open")]
)
def test_yes_and_no_are_closed_answers(answer: str, kind: str) -> None:
    assert answer_type(answer) == kind


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    (tmp_path / "mtsamples").mkdir()
    (tmp_path / "mtsamples" / "mtsamples (1).csv").write_text(REPORTS, encoding="utf-8")
    return tmp_path / "mtsamples"


def passages(path: Path, **more: Any) -> Source:
    sources = [{"kind": "mtsamples", "path": str(path), **more}]
    return open_source(
        IndexConfig.model_validate({"out": "x", "sources": sources}).sources[0], SourceContext(WordCounter())
    )


def test_reports_with_their_lines_and_keywords(reports: Path) -> None:
    first, second, third = read_transcriptions(reports)
    assert first == Transcription(
        id="0",
        text="2-D M-MODE: 1.  Left atrial enlargement.\n2.  Normal size.\nIMPRESSION: Enlarged.",
        name="2-D Echocardiogram - 1",
        specialty="Cardiovascular / Pulmonary",
        description="2-D M-Mode. Doppler.",
        keywords=("cardiovascular / pulmonary", "doppler"),
    )
    assert second == SourceFailure("mtsamples", "1", "its transcription is missing")
    assert isinstance(third, Transcription)
    assert (third.id, third.text, third.keywords) == ("2", "SUBJECTIVE: The patient is well.", ())
    assert on_lines("Ratio 1, 2: 3, 4. a, b") == "Ratio 1, 2: 3, 4. a, b"


def test_reports_read_the_same_from_parquet(reports: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    import pyarrow.csv
    import pyarrow.parquet

    table = pyarrow.csv.read_csv(reports / "mtsamples (1).csv")
    (tmp_path / "packed" / "data").mkdir(parents=True)
    pyarrow.parquet.write_table(table, tmp_path / "packed" / "data" / "train-00000-of-00001.parquet")
    assert list(read_transcriptions(tmp_path / "packed")) == list(read_transcriptions(reports / "mtsamples (1).csv"))


def test_reports_are_passages_of_an_index(reports: Path, tmp_path: Path, hashes: Any) -> None:
    found = passages(reports)
    items = list(found)
    assert len(found) == len(items) == 3
    first = items[0]
    assert isinstance(first, Passage)
    assert (first.id, first.source_id, first.source) == ("0#0", "0", "mtsamples")
    assert first.title == "Cardiovascular / Pulmonary: 2-D Echocardiogram - 1"
    assert (first.license, first.url) == ("CC0 1.0", "https://mtsamples.com")
    assert first.attribution == "MTSamples, compiled by Tara Boyle"
    assert "IMPRESSION: Enlarged." in first.text
    config = index_config(
        tmp_path / "index", {"kind": "mtsamples", "path": str(reports), "license": "mine"}, **hashes.names
    )
    report = build_index(config)
    assert (report.added, [failure.id for failure in report.failures]) == (2, ["1"])


def test_reports_that_are_not_there(reports: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"it has none\. Fetch it: python cli.py data pull mtsamples"):
        len(passages(tmp_path))
    (reports / "b.csv").write_text("a,b\n1,2\n")
    with pytest.raises(SourceError, match="it has 2: name the one"):
        len(passages(reports))
    with pytest.raises(SourceError, match=r"no column 'description'\. Columns: a, b"):
        len(passages(reports / "b.csv"))
