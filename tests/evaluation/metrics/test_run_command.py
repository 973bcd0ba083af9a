"""`evaluate run` and `evaluate score` as a person types them; what runs of captions, questions and documents hold."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from made_archive import Archive, Engine

import cli
from evaluation.metrics.config import read_config
from evaluation.metrics.files import read_captions
from evaluation.metrics.images import ImageText
from evaluation.metrics.measures import Asked
from evaluation.metrics.score import score_run
from evaluation.metrics.scored import NEAREST, read_scores
from evaluation.runs import read_run
from evaluation.sets import read_set

FIELDS = ["--where", "split=dev", "--field", "article=case", "--truth", "modality=kind", "--truth", "plane=plane"]
METRICS = ["--metrics", "rouge1,content,clipscore", "--set", "batch_size=4", "--set", "check.text_embedder=null"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli.main, ["evaluate", *arguments])


@pytest.mark.usefixtures("parrot")
def test_a_run_is_described_scored_and_written_and_goes_on(archive: Archive, tmp_path: Path) -> None:
    given = ["run", "--index", str(archive.index), "--set", str(archive.records), *FIELDS, *METRICS]
    given += ["--split", "plane=plane", "--out", str(tmp_path / "run"), "--submission", str(tmp_path / "sub.csv")]
    done = run(*given)
    assert done.exit_code == 0, done.output
    assert "own - shuffled" in done.stdout
    assert "by modality" in done.stdout
    assert "latency p95 (s)" in done.stdout
    assert "peak memory (MiB)" in done.stdout
    scored = read_scores(tmp_path / "run")
    assert len(scored.ids) == 16
    assert set(scored.splits) == {"modality", "plane"}
    # The parrot says the nearest caption: no gain over that foil, in any image.
    assert np.array_equal(scored.values["rouge1"], scored.foils[NEAREST]["rouge1"])
    assert set(scored.values) >= {"rouge1", "content", "content.modality", "content.plane", "clipscore", "latency_s"}
    assert "colour@cccccccc" in scored.recipes["clipscore"].version
    assert list(read_captions(tmp_path / "sub.csv").texts) == list(scored.ids)
    again = run(*given, "--json")
    figures = json.loads(again.stdout)
    assert figures["n"] == 16
    assert figures["figures"]["rouge1"]["value"] == pytest.approx(float(scored.values["rouge1"].mean()), rel=1e-4)
    assert len((tmp_path / "run" / "costs.jsonl").read_text().splitlines()) == 1


def test_without_evidence_the_nearest_caption_is_found_in_the_index(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seer: Engine
) -> None:
    given = ["run", "--index", str(archive.index), "--no-rag", "--set", str(archive.records), *FIELDS, *METRICS]
    done = run(*given, "--out", str(tmp_path / "run"), "--json")
    assert done.exit_code == 0, done.output
    assert seer.asked == 16
    scored = read_scores(tmp_path / "run")
    assert 0 < scored.foils[NEAREST]["rouge1"].mean() < 1
    gain = scored.gain("content")
    assert gain is not None
    assert gain.low is not None
    assert gain.low > 0
    assert scored.values["content"].mean() == 1
    monkeypatch.setattr("evaluation.metrics.nearest.searched", lambda *_: pytest.fail("the index was searched"))
    assert score_run(read_run(tmp_path / "run"), ("rouge1",), index=archive.index, foils=()).foils == {}


def test_a_submission_that_cannot_be_made_costs_no_scores(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seer: Engine
) -> None:
    monkeypatch.setattr(type(seer), "answer", lambda *_: "")
    file = tmp_path / "sub.csv"
    given = ["run", "--no-rag", "--set", str(archive.records), *FIELDS, "--metrics", "rouge1"]
    done = run(*given, "--out", str(tmp_path / "run"), "--submission", str(file), "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["n"] == 16
    assert f"no {file}: 16 of 16 captions are empty, the first of id 'r24'" in done.stderr
    assert not file.exists()


def test_questions_are_asked_and_their_answers_judged(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seer: Engine
) -> None:
    monkeypatch.setattr(type(seer), "answer", lambda *_: "Yes, it is.")
    rows = [json.loads(line) for line in archive.records.read_text().splitlines()][:8]
    for number, row in enumerate(rows):
        row |= {
            "question": "Is it CT?",
            "answer": "Yes" if number % 2 == 0 else "MR",
            "kind_of": ["CLOSED", "OPEN"][number % 2],
        }
    file = archive.records.parent / "qa.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    given = ["--field", "caption=answer", "--field", "question=question", "--field", "answer_type=kind_of"]
    images = read_set(str(file), fields=["caption=answer", "question=question", "answer_type=kind_of", "article=case"])
    assert images.cases[1].request().task == "ask"
    assert images.cases[1].answer_type == "open"
    done = run("run", "--set", str(file), *given, "--no-rag", "--out", str(tmp_path / "run"), "--json")
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout)["figures"]
    assert figures["accuracy"]["value"] == 0.5
    assert figures["accuracy.closed"]["value"] == 1
    assert figures["accuracy.open"]["value"] == 0
    wrong = run("retrieval", "--set", str(file), *given)
    assert wrong.exit_code == 2
    assert "has questions; evaluate retrieval judges descriptions" in wrong.stderr
    kept = read_run(tmp_path / "run")
    assert kept.cases[0].question == "Is it CT?"
    assert kept.text("r0") == "Yes, it is."


def test_documents_are_extracted_from_and_their_fields_judged(archive: Archive, tmp_path: Path) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps({"type": "object", "properties": {"kind": {"type": "string"}}}), encoding="utf-8")
    config = tmp_path / "documents.yaml"
    rows = [json.loads(line) for line in archive.records.read_text().splitlines()][:2]
    (archive.records.parent / "documents.jsonl").write_text(
        "".join(json.dumps(row | {"right": {"kind": row["kind"]}}) + "\n" for row in rows), encoding="utf-8"
    )
    config.write_text(
        json.dumps(
            {
                "path": str(archive.records.parent),
                "records": "documents.jsonl",
                "extract": {"schema_file": str(schema), "fields": "right"},
            }
        ),
        encoding="utf-8",
    )
    case = read_set(str(config)).cases[1]
    assert json.loads(case.caption) == {"kind": "MR"}
    assert case.request().task == "extract"
    assert json.loads(case.request().schema or "")["type"] == "object"


def test_files_of_others_are_scored_and_their_faults_end_it(tmp_path: Path) -> None:
    references, said = tmp_path / "references.jsonl", tmp_path / "said.csv"
    references.write_text(
        "".join(json.dumps({"id": f"i{n}", "caption": f"CT of organ {n}", "pmcid": f"P{n}"}) + "\n" for n in range(4)),
        encoding="utf-8",
    )
    said.write_text("ID,Caption\n" + "".join(f"i{n},CT of organ {n}\n" for n in range(4)), encoding="utf-8")
    given = ["score", "--predictions", str(said), "--references", str(references), "--metrics", "rouge1,bleu4"]
    done = run(*given, "--json", "--out", str(tmp_path / "scores"))
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["figures"]["rouge1"]["value"] == 1
    assert read_scores(tmp_path / "scores").name == "said"
    said.write_text("ID,Caption\ni0,CT\ni0,MR\n", encoding="utf-8")
    wrong = run(*given)
    assert wrong.exit_code == 2
    assert "said.csv:3: id 'i0' for the second time" in wrong.stderr
    assert "said.csv: no caption for id 'i3'" in wrong.stderr
    assert wrong.stdout == ""
    lenient = run(*given, "--lenient", "--json")
    assert lenient.exit_code == 1
    assert json.loads(lenient.stdout)["n"] == 4
    assert run(*given, "--metrics", "rouge9").exit_code == 2


def test_files_of_others_have_the_encoder_and_the_nearest_captions_of_an_index_and_other_word_lists(
    archive: Archive, tmp_path: Path
) -> None:
    rows = [json.loads(line) for line in archive.records.read_text().splitlines()][:30]
    for name, more in (("references", True), ("said", False)):
        kept = [{"id": row["id"], "caption": row["caption"]} for row in rows]
        for line, row in zip(kept, rows, strict=True):
            line |= {"image": row["image"], "case": row["case"]} if more else {}
        (archive.records.parent / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in kept))
    given = ["score", "--predictions", str(archive.records.parent / "said.jsonl")]
    given += ["--references", str(archive.records.parent / "references.jsonl"), "--metrics", "rouge1,clipscore,content"]
    without = json.loads(run(*given, "--json").stdout)
    assert "--index" in without["missing"]["clipscore"]
    assert "--index" in without["missing"][NEAREST]
    done = run(*given, "--index", str(archive.index), "--out", str(tmp_path), "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["missing"] == {}
    assert "colour@cccccccc" in found["recipes"]["clipscore"]["version"]
    # Its own record stands in the index for most: the leak guard leaves it and its article out.
    scored = read_scores(tmp_path)
    assert 0 < scored.foils[NEAREST]["rouge1"].max() < 1
    other = json.loads(run(*given, "--content", "microscopy", "--json").stdout)
    assert "--content" in other["missing"]["content"]
    assert run(*given, "--content", "nowhere").exit_code == 2


def test_image_text_similarity_is_that_of_the_encoder_and_blank_without_images(archive: Archive) -> None:
    image = str(archive.records.parent / "0.png")
    asked = Asked(
        ("a", "b", "c"), ("x",) * 3, ("a", "b", "c"), images=(image, image, "no/such.png"), embedder=str(archive.index)
    )
    found = ImageText(asked, read_config([])).score([["red", "", "red"]])[0]["clipscore"]
    from made_archive import ColourEmbedder

    from imaging import load

    vector = ColourEmbedder().embed_images([load(image)])[0]
    assert found[0] == pytest.approx(2.5 * max(float(vector[0]), 0), abs=1e-6)
    assert found[1] == 0
    assert np.isnan(found[2])
