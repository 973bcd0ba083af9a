"""The page of a batch: what it tells, what it shows, what it leaves out, how little it reads."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner
from made_batch import ABSTAINED, BLOCK, CHANGED, GONE, NAME, SECONDS_A_BLOCK, WARNED, write_batch
from made_results import ATTACK, write_run
from PIL import Image

import cli
from batch.ledger import Ledger
from batch.run_folder import LEDGER, PAGE, BatchRun
from batch.shards import Result
from evaluation.report.batch import write_page
from evaluation.report.batch_samples import SHOWN
from evaluation.report.data import to_json
from evaluation.report.html import to_html
from evaluation.report.kinds import document_of

IMAGES = 160


def sections(folder: Path, data: bool = True) -> dict[str, list[dict[str, Any]]]:
    return {section["title"]: section["blocks"] for section in to_json(document_of(folder, data))["sections"]}


def samples(folder: Path, data: bool = True) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = sections(folder, data)["Samples"][1]["gallery"]
    return shown


def place(sample: dict[str, Any]) -> int:
    """In the input, from 0."""
    return int(sample["id"].partition("/")[2])


def test_counts_are_those_of_the_plan_and_the_ledger(batch: Path) -> None:
    document = document_of(batch)
    assert document.kind == "batch"
    said = " ".join(document.summary)
    assert f"144 of {IMAGES + 1} records were described. That took 80 s in 2 sessions: 2 images a second." in said
    assert "17 failed, for 2 reasons listed below." in said
    assert "144 of 288 sentences (50 %) rest on evidence. In 3 cases it abstained. 5 descriptions have" in said
    rows = {row["name"]: row["cells"] for row in sections(batch)["What came of it"][0]["rows"]}
    assert rows["described"] == {"count": 144, "share, %": pytest.approx(100 * 144 / (IMAGES + 1))}
    assert rows["not tried yet"]["count"] == 0


def test_the_folder_and_the_run_in_it_have_the_same_page(batch: Path) -> None:
    assert to_html(document_of(batch)) == to_html(document_of(batch / NAME))


def test_a_run_that_was_stopped_says_what_is_left(tmp_path: Path) -> None:
    folder = write_batch(tmp_path / "described", IMAGES, tried=40)
    assert f"{IMAGES - 40} are left: the same command goes on with them." in document_of(folder).summary
    assert sections(folder)["Speed"][0]["plot"] == "Where the workers' time went"  # ten shards make no curve


def test_an_evaluations_run_beside_nothing_of_a_batch_is_still_that(tmp_path: Path) -> None:
    assert document_of(write_run(tmp_path / "runs/one")).kind == "run"


def test_the_rate_is_over_the_time_that_was_worked(batch: Path) -> None:
    """Five hours lie between the sessions, and no step of the curve is empty."""
    plot = sections(batch)["Speed"][0]
    assert plot["plot"] == "Images a second over time"
    assert "2 sessions one behind the other, pauses left out" in plot["note"]
    (curve,) = plot["curves"]
    assert curve["x"][0] == 0
    assert curve["x"][-1] == SECONDS_A_BLOCK * IMAGES / BLOCK
    assert curve["y"] == pytest.approx([BLOCK / SECONDS_A_BLOCK] * len(curve["y"]))


def test_seconds_by_stage_are_of_an_image(batch: Path) -> None:
    rows = {row["name"]: row["cells"] for block in sections(batch)["Speed"] for row in block.get("rows", [])}
    assert rows["generate"] == pytest.approx({"worker seconds": 43.2, "share, %": 75.0, "ms an image": 300.0})
    assert "total" not in rows


def test_failures_are_counted_by_reason_and_a_few_are_named(batch: Path) -> None:
    (table,) = sections(batch)["Failures"]
    rows = {row["name"]: row["cells"] for row in table["rows"]}
    assert rows == {
        "damaged image: N bytes": {"records": 16, "kind": "image", "for example": "r/0, r/10, r/20 and 13 more"},
        "image is missing": {"records": 1, "kind": "record", "for example": "line 7"},
    }


def test_samples_have_the_first_abstentions_and_warnings_and_are_spread(batch: Path) -> None:
    shown = samples(batch)
    assert len(shown) == SHOWN
    why = {place(sample): sample["why"] for sample in shown}
    assert [n for n, told in why.items() if "first abstentions" in told] == sorted(ABSTAINED)[:2]
    assert [n for n, told in why.items() if "first descriptions with a warning" in told] == sorted(WARNED)[:1]
    assert list(why) == sorted(why)
    evenly = [n for n, told in why.items() if "Drawn evenly" in told]
    assert max(evenly) - min(evenly) > IMAGES / 2
    assert len(evenly) == SHOWN - 3


def test_a_sample_shows_the_citations_and_the_evidence_that_is_cited(batch: Path) -> None:
    sample = next(one for one in samples(batch) if place(one) in WARNED)
    (said,) = sample["said"]
    assert said["text"] == f"A smear. [5] Number {place(sample)}."
    assert said["warnings"] == ["weak evidence"]
    assert [piece["number"] for piece in said["evidence"]] == [1, 2, 5]
    assert (said["evidence"][2]["license"], said["evidence"][2]["score"]) == ("CC0", 0.5)
    assert sample["picture"]


@pytest.mark.parametrize(("gone", "told"), [(GONE, "cannot be shown"), (CHANGED, "no longer the one")])
def test_a_picture_that_is_not_what_was_described_is_not_shown(tmp_path: Path, gone: int, told: str) -> None:
    shown = {place(sample): sample for sample in samples(write_batch(tmp_path / "described", 8))}
    assert not shown[gone]["picture"]
    assert told in shown[gone]["no_picture"]
    assert shown[7]["picture"]


def test_no_more_shards_are_read_than_samples_are_shown(batch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    one = BatchRun.shard

    def shard(self: BatchRun, number: int) -> dict[str, Result]:
        read.append(number)
        return one(self, number)

    monkeypatch.setattr(BatchRun, "shard", shard)
    document_of(batch)
    with closing(Ledger(batch / NAME / LEDGER, read_only=True)) as ledger:
        assert len(ledger.shards()) > SHOWN
    assert 0 < len(read) <= SHOWN
    assert len(read) == len(set(read))


def test_without_images_nothing_of_the_data_is_in_it(batch: Path) -> None:
    html = to_html(document_of(batch, data=False))
    assert to_html(document_of(batch)).count("data:image/jpeg") > 5
    for told in ("data:image", "A smear", "Neighbour", "r/1", "line 7", "damaged", "pictures/", "0.10 is below"):
        assert told not in html, told
    assert "This page shows no image and no text of the data" in html
    (table,) = sections(batch, data=False)["Failures"]
    assert {row["name"]: row["cells"] for row in table["rows"]} == {"image": {"records": 16}, "record": {"records": 1}}


def test_texts_are_no_markup_and_no_key_of_a_server_is_shown(tmp_path: Path) -> None:
    html = to_html(document_of(write_batch(tmp_path / "described", 40, attack=ATTACK)))
    page = BeautifulSoup(html, "html.parser")
    assert not page.find_all("script")
    assert all(str(image["src"]).startswith("data:") for image in page.find_all("img"))
    assert "alert(" in page.get_text()
    assert "secret" not in html
    assert "https://example.org/v1" in html


def test_the_page_is_written_beside_the_results(batch: Path) -> None:
    file = write_page(batch / NAME)
    assert file == batch / NAME / PAGE
    assert file.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_shard_that_is_gone_is_told_in_one_line(batch: Path) -> None:
    for file in (batch / NAME / "shards").iterdir():
        file.unlink()
    done = CliRunner().invoke(cli.main, ["report", str(batch)])
    assert done.exit_code == 2
    assert "cannot be read" in done.stderr
    assert "Run the batch again" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_run_without_anything_done_is_a_page_too(tmp_path: Path) -> None:
    folder = write_batch(tmp_path / "described", 8)
    run = folder / NAME
    (run / LEDGER).unlink()
    Ledger(run / LEDGER).close()
    document = document_of(folder)
    assert "0 of 9 records were described." in document.summary
    assert [section.title for section in document.sections] == ["What was run", "What came of it", "Failures"]
    json.dumps(to_json(document), allow_nan=False)


def test_the_command_writes_it_and_not_where_nothing_was_left_to_do(tmp_path: Path) -> None:
    for shade in (40, 200):
        Image.new("RGB", (64, 48), (shade, 90, 120)).save(tmp_path / f"{shade}.png")
    command = [
        "batch",
        str(tmp_path),
        "--out",
        str(tmp_path / "out"),
        "--workers",
        "1",
        "--no-rag",
        "--progress",
        "none",
    ]
    done = CliRunner().invoke(cli.main, command)
    assert done.exit_code == 0, done.output
    (page,) = (tmp_path / "out").glob(f"*/{PAGE}")
    assert f"wrote {page}" in done.stderr
    assert "2 of 2 records were described." in page.read_text(encoding="utf-8")
    page.unlink()
    again = CliRunner().invoke(cli.main, command)
    assert again.exit_code == 0, again.output
    assert not page.exists()
