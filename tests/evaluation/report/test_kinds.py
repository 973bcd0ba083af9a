"""What a folder is, is found out; and its report says what counts first."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner, Result
from made_results import MADE, MISSING, RECIPES, made_scores, write_experiment, write_run

import cli
from evaluation.metrics.scored import write_scores
from evaluation.ratings import read_ratings, strengths
from evaluation.ratings.making import Sample, make_task
from evaluation.ratings.store import Store
from evaluation.ratings.types import Answer, Rating
from evaluation.report import kinds
from evaluation.report.data import to_json
from evaluation.report.html import to_html
from evaluation.report.kinds import document_of
from evaluation.report.training import POINTS
from evaluation.report.writing import write
from evaluation.runs import read_run

ROOT = Path(__file__).parents[3]


def report(*arguments: object) -> Result:
    return CliRunner().invoke(cli.main, ["report", *map(str, arguments)])


def text_of(path: Path) -> str:
    return " ".join(BeautifulSoup(to_html(document_of(path)), "html.parser").get_text().split())


def test_a_run_says_the_gain_first_and_that_a_constant_sentence_beats_it(run: Path) -> None:
    document = document_of(run)
    said = " ".join(document.summary)
    assert document.kind == "run"
    assert "described 11 of 12 images" in said
    assert "1 image could not be described" in said
    assert re.search(r"The gain over the same texts dealt out to other images is 0\.(09|1)\d", said)
    assert "the texts do say something of their own image" in said
    assert "One constant sentence for all images, which says nothing of any image, does better in ROUGE-1." in said
    assert document.unmeasured == MISSING
    assert "Not measured: bertscore" in said


def test_no_gain_is_said_to_be_none(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", 40, failed=0)
    write_scores(made_scores("run", 40, gain=0.0, constant=0.0), folder)
    said = " ".join(document_of(folder).summary)
    assert "no sign that they say anything of their own image" in said
    assert "One constant sentence" not in said


def test_a_run_without_scores_is_shown_and_said_to_be_unmeasured(tmp_path: Path) -> None:
    document = document_of(write_run(tmp_path / "run", 3, failed=2))
    assert "has no scores" in document.unmeasured["scores"]
    assert [section.title for section in document.sections] == [
        "Time, costs and warnings", "Images", "Failures", "Configuration",
    ]  # fmt: skip


def test_a_run_in_which_all_failed_is_a_report_of_failures(tmp_path: Path) -> None:
    text = text_of(write_run(tmp_path / "run", 3, failed=3))
    assert "described 0 of 3 images" in text
    assert "4 images without a description, and why" in text  # and a record that was not usable


@pytest.mark.parametrize("data", [True, False])
def test_notes_on_images_are_counted_by_what_they_say(run: Path, data: bool) -> None:
    blocks = [block for section in to_json(document_of(run, data))["sections"] for block in section["blocks"]]
    rows = next(block for block in blocks if block.get("table", "").startswith("Warnings"))["rows"]
    counts = {row["name"]: row["cells"]["images"] for row in rows}
    assert counts["#- or #-bit values scaled to # bits by percentile"] == 11
    assert counts["evidence did not fit into # prompt tokens"] == 11
    assert counts.get("another warning, left out here: it may name a file", 0) == (0 if data else 11)


def test_equally_confident_texts_are_held_back_in_random_order(run: Path) -> None:
    """Their order in the file is no order: a confidence that is the same for all is worth what chance is."""
    file = run / "descriptions.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    file.write_text("".join(json.dumps({**row, "confidence": {"score": 0.5, "signals": {}}}) + "\n" for row in rows))
    section = next(s for s in to_json(document_of(run))["sections"] if s["title"] == "Saying nothing where unsure")
    confident, random, best = (curve["y"] for curve in section["blocks"][0]["curves"])
    assert confident == pytest.approx(random, rel=1e-4)
    assert best[0] > random[0]


def test_scores_alone_are_reported(tmp_path: Path) -> None:
    write_scores(made_scores("said", 20), tmp_path)
    document = document_of(tmp_path)
    assert document.kind == "scores"
    assert "ROUGE-1" in " ".join(document.summary)
    file = tmp_path / "scores.json"
    file.write_text(json.dumps({key: value for key, value in json.loads(file.read_text()).items() if key != "recipe"}))
    assert "an older program wrote it" in document_of(tmp_path).recipe["recipe"]


def test_scores_say_how_they_were_made(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a run may be newer than its descriptions."""
    made = {"command": "cli.py evaluate score", "date": "2026-11-27T08:00:00+00:00", "versions": {"numpy": "2.4.6"}}
    monkeypatch.setattr("evaluation.metrics.scored.recipe", lambda: made)
    for folder in (run, tmp_path / "alone"):
        write_scores(made_scores("said", 20), folder)
    alone = document_of(tmp_path / "alone")
    assert alone.recipe == made
    assert alone.about.endswith("; 2026-11-27.")
    assert document_of(run).recipe["scores"] == made
    assert document_of(run).recipe["command"] == MADE["command"].replace("user:secret@", "")


def test_an_experiment_has_its_verdicts_in_words(experiment: Path) -> None:
    document = document_of(experiment)
    said = " ".join(document.summary)
    results = json.loads((experiment / "results.json").read_text())
    better = [arm for arm, verdict in results["verdicts"].items() if verdict == "better"]
    assert better
    assert f"{len(better)} better" in said
    assert f"{better[-1]} is better than plain (ROUGE-1 +" in said
    assert "after Holm" in said
    assert "In 4 of 4 arms the texts surely score higher in ROUGE-1" in said
    text = text_of(experiment)
    assert "▲ better" in text
    assert "Among the most disagreed on" in text
    assert "4 arms, the same 30 images of 15 articles of the set made in each" in text


def test_twenty_arms_are_all_there(tmp_path: Path) -> None:
    arms = [f"arm-{number}" for number in range(20)]
    document = document_of(write_experiment(tmp_path / "many", arms))
    page = BeautifulSoup(to_html(document), "html.parser")
    figures = next(t for t in page.find_all("table") if t.caption.text == "Figures by arm")
    assert [row.th.text for row in figures.select("tbody tr")][:20] == arms
    for plot in page.select("svg.wide"):
        heights = [float(t["y"]) for t in plot.find_all("text") if str(t.text).startswith("arm-") and t.get("y")]
        assert all(after - before > 13 for before, after in pairwise(heights))


def test_an_experiment_that_was_not_judged_says_what_to_do(experiment: Path) -> None:
    (experiment / "results.json").unlink()
    done = report(experiment)
    assert done.exit_code == 2
    assert "not judged yet" in done.stderr
    assert "experiment run" in done.stderr


@pytest.mark.parametrize("kind", ["single", "pairwise"])
def test_ratings_are_reported(tmp_path: Path, kind: str) -> None:
    runs = {name: read_run(write_run(tmp_path / name, 20, text=name, failed=0)) for name in ("one", "other")}
    file = tmp_path / "task.sqlite"
    make_task(runs, file, kind, Sample(items=20, repeated=0))  # type: ignore[arg-type]
    with Store.open(file) as store:
        for place, rater in enumerate(("anna", "ben")):
            for number, given in enumerate(store.plan(store.join(rater))):
                score = 1 + (number + place) % 5
                preferred = ("first", "second", "tie")[(number + place) % 3]
                answer = Answer(score, score, score) if kind == "single" else Answer(preferred=preferred)  # type: ignore[arg-type]
                store.save(Rating(rater, given.item, given.occasion, given.swapped, answer, 5.0, ""))
    document = document_of(file)
    said = " ".join(document.summary)
    assert document.kind == "ratings"
    assert f"2 raters gave {20 * 2} judgements" in said
    assert "alpha" in said
    text = text_of(file)
    assert ("log-strength" in text) == (kind == "pairwise")
    assert "anna" in text
    assert write(document_of(tmp_path), "json") == write(document, "json")  # the folder holds one such file
    assert set(document.recipe["arms"]["one"]) == {"run", "model", "adapter", "prompt", "index"}
    assert "[1] evidence untitled, made, licence: CC0. A neighbour's caption." in text
    assert "A neighbour's caption." not in write(document_of(file, data=False), "html")


def test_which_of_several_arms_is_preferred_is_said_by_holm(tmp_path: Path) -> None:
    """A difference that would be sure by itself, and is not among three."""
    runs = {name: read_run(write_run(tmp_path / name, 60, text=name, failed=0)) for name in ("one", "two", "three")}
    file = tmp_path / "task.sqlite"
    make_task(runs, file, "pairwise", Sample(items=60, repeated=0))
    with Store.open(file) as store:
        for number, item in enumerate(store.items):
            arms = [str(text.arm) for text in item.texts]
            better = min(range(2), key=lambda side: arms[side])  # "one" before "three" before "two"
            said = better if number % 20 < 13 else 1 - better
            store.save(Rating("anna", item.id, 1, False, Answer(preferred=("first", "second")[said]), None, ""))  # type: ignore[arg-type]
    document = document_of(file)
    of_all = strengths(read_ratings(file)).differences
    first = of_all[1]
    assert first.p < 0.05 < (first.p_adjusted or 0)
    said = " ".join(document.summary)
    assert f"Between {first.first} and {first.second} it is inconclusive (log-strength +" in said
    assert "after Holm" in said
    assert "preferred to" not in said
    assert "is preferred" not in text_of(file)


def test_a_file_is_read_once_however_many_kinds_it_could_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    monkeypatch.setattr(kinds, "read_json", lambda file: read.append(file) or json.loads(file.read_text()))
    file = tmp_path / "results.json"
    file.write_text((ROOT / "benchmarks" / "experiments" / "search_pocket.json").read_text())
    assert document_of(tmp_path).kind == "prompt search"
    assert read == [file]


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("benchmarks/experiments/search_pocket.json", "shown as its file has it"),
        ("benchmarks/ratings.json", "shown as its file has it"),
        ("pocket/curves", "holds no image and no text of the data"),
    ],
)
def test_a_page_to_be_shared_says_where_nothing_was_left_out(file: str, told: str) -> None:
    assert document_of(ROOT / file).withheld == ""
    assert told in document_of(ROOT / file, data=False).withheld


def test_another_programs_sqlite_file_is_no_ratings(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.sqlite")) as db:
        db.execute("CREATE TABLE items (id TEXT)")
        db.commit()
    done = report(tmp_path / "other.sqlite")
    assert done.exit_code == 2
    assert "holds nothing that a report can be made of" in done.stderr
    assert report(tmp_path).exit_code == 2


def test_a_comparison_is_reported(tmp_path: Path) -> None:
    from evaluation.statistics import runs as comparison

    for place, name in enumerate(("one", "other")):
        write_scores(made_scores(name, 20, seed=place, gain=0.1 + 0.2 * place), tmp_path / name)
    found = comparison.compare_runs(comparison.read_entries([tmp_path / "one", tmp_path / "other"]))
    comparison.write(found, tmp_path / "compared")
    document = document_of(tmp_path / "compared")
    assert document.kind == "comparison"
    assert "other is better than one (ROUGE-1 +0." in " ".join(document.summary)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_training_log_is_a_curve(tmp_path: Path, suffix: str) -> None:
    steps = [(step, 5 / (1 + step)) for step in range(1000)]
    lines = (
        [f"{s},{loss}" for s, loss in steps]
        if suffix == ".csv"
        else [json.dumps({"step": s, "loss": v}) for s, v in steps]
    )
    file = tmp_path / f"log{suffix}"
    file.write_text("\n".join((["step,loss"] if suffix == ".csv" else []) + lines) + "\n")
    data = json.loads(write(document_of(file), "json"))
    plot, table = data["sections"][0]["blocks"]
    assert len(plot["curves"][0]["x"]) <= POINTS
    assert plot["note"] == "Means of bins of 4 logged steps."
    assert table["rows"][0]["cells"] == {"first": 5.0, "last": 0.005, "lowest": 0.005, "at step": 999}
    assert document_of(tmp_path).kind == "training"


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_training_that_diverged_is_said_to_have(tmp_path: Path, suffix: str) -> None:
    losses = [3.0, 2.0, None, 1.5, float("nan"), float("inf"), float("-inf")]
    rows = [f"{step},{'' if loss is None else loss}" for step, loss in enumerate(losses)]
    file = tmp_path / f"log{suffix}"
    file.write_text(
        "\n".join(["step,loss", *rows])
        if suffix == ".csv"
        else "\n".join(json.dumps({"step": step, "loss": loss}) for step, loss in enumerate(losses))
    )
    document = document_of(file)
    assert "log: loss is nan or infinite in 3 of 7 logged steps, first at step 4." in document.summary
    table = json.loads(write(document, "json"))["sections"][0]["blocks"][1]
    assert table["rows"][0]["cells"] == {
        "first": 3.0, "last": 1.5, "lowest": 1.5, "at step": 3, "steps nan or infinite": 3,
    }  # fmt: skip
    file.write_text("step,loss\n1,nan\n2,nan\n" if suffix == ".csv" else '{"step": 1, "loss": NaN}\n')
    assert "has nothing to draw: loss is nan or infinite in all steps" in report(file).stderr


def test_logs_of_one_name_are_both_there(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("step,loss\n1,5\n")
    (tmp_path / "a.jsonl").write_text('{"step": 1, "loss": 3}\n{"step": 2, "loss": 2}\n')
    (tmp_path / "b.csv").write_text("step,loss\n1,4\n")
    document = document_of(tmp_path)
    assert [section.title for section in document.sections] == ["a.csv", "a.jsonl", "b"]
    assert document.recipe["logs"] == {"a.csv": 1, "a.jsonl": 2, "b.csv": 1}


def test_a_broken_log_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    file.write_text('{"step": 1, "loss": 2}\n{"step": 2, "loss"')
    done = report(file)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"error: {file} cannot be read as a training log:")


def test_a_prompt_search_is_reported_with_what_it_cost() -> None:
    file = ROOT / "benchmarks" / "experiments" / "search_pocket.json"
    data = json.loads(file.read_text())
    said = text_of(file)
    winner = data["winner"]["name"]
    assert f"{winner} against {data['start']} is {data['confirmation']['verdict']}" in said
    assert all(candidate["name"] in said for candidate in data["candidates"])
    assert f"{data['cost']['images']}; {data['cost']['images_if_all_had_been_tried']} if all had been tried" in said
    assert data["candidates"][0]["messages"][0]["text"] in said


def test_a_search_that_the_start_won_has_nothing_to_confirm(tmp_path: Path) -> None:
    data = json.loads((ROOT / "benchmarks" / "experiments" / "search_pocket.json").read_text())
    (tmp_path / "results.json").write_text(json.dumps({**data, "winner": data["candidates"][0], "confirmation": None}))
    said = text_of(tmp_path)
    assert "None was better than the start" in said


@pytest.mark.parametrize("file", sorted((ROOT / "benchmarks").glob("*.json")), ids=lambda file: file.stem)
def test_every_benchmark_of_ours_is_reported(file: Path) -> None:
    document = document_of(file)
    assert document.kind == ("bench" if file.stem.startswith("models_") else "benchmark")
    page = BeautifulSoup(to_html(document), "html.parser")
    assert page.find_all(["table", "dl"])
    assert page.select("pre")[-1].text.count('"command"')


def test_the_curves_of_the_recipe_are_reported() -> None:
    document = document_of(ROOT / "pocket/curves")
    assert [section.title for section in document.sections] == ["encoder", "generator", "language", "vision"]


def test_results_of_retrieval_without_their_images_are_reported(tmp_path: Path) -> None:
    figure = {"value": 0.5, "low": 0.4, "high": 0.6}
    arm = {
        "evidence": "nearest",
        "k": 1,
        "order": None,
        "picture": "own",
        "by_modality": {},
        "figures": {"content": figure},
    }
    made = {
        "set": {"name": "s", "images": 2, "articles": 1, "truth": "records", "content": "radiology@1"},
        "main": "nearest",
    }
    row = {"name": "nearest - none", "figures": {"content": {**figure, "p": 0.01}}, "by_modality": {}}
    (tmp_path / "results.json").write_text(
        json.dumps(
            {
                "recipe": {**MADE, **made, "prompt": "few_shot@1"},
                "arms": [{**arm, "name": "nearest"}, {**arm, "name": "none", "evidence": "none"}],
                "foils": [], "differences": [row], "follows": [], "failures": 0,
            }
        )
    )  # fmt: skip
    document = document_of(tmp_path)
    assert document.kind == "retrieval"
    assert "The difference is 0.500 (95 % interval 0.400 to 0.600) (p = 0.01, one-sided): a gain." in document.summary


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("run.json", "{", "cannot be read as a run"),
        ("run.json", '{"set": 3}', "cannot be read as a run"),
        ("experiment.json", "[1]", "not judged yet"),
        ("results.json", '{"arms": [], "foils": [], "differences": []}', "looks like results of evaluate retrieval"),
        ("results.json", "\x00", "cannot be read as JSON"),
        ("notes.txt", "hello", "holds nothing that a report can be made of"),
        ("data.csv", "a,b\n1,2\n", "holds nothing that a report can be made of"),
        ("task.sqlite", "SQLite format 3\x00 and no more", "holds nothing that a report can be made of"),
    ],
)
def test_what_is_broken_or_foreign_gets_one_line_and_code_2(tmp_path: Path, name: str, text: str, told: str) -> None:
    (tmp_path / name).write_text(text)
    done = report(tmp_path)
    assert done.exit_code == 2
    assert done.stderr.startswith("error: ")
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.glob("report.*"))


def test_what_is_not_there_gets_code_2(tmp_path: Path) -> None:
    done = report(tmp_path / "none")
    assert done.exit_code == 2
    assert "no such folder or file" in done.stderr


def test_the_command_writes_where_it_is_told(run: Path, tmp_path: Path) -> None:
    done = report(run)
    assert done.exit_code == 0, done.output
    assert (run / "report.html").read_text().startswith("<!doctype html>")
    assert f"wrote {run / 'report.html'}" in done.stderr
    assert report(run, "--out", tmp_path / "new/page.md").exit_code == 0
    assert (tmp_path / "new/page.md").read_text().startswith("# Run a run")
    printed = report(run, "--out", "-", "--format", "json")
    assert json.loads(printed.stdout)["kind"] == "run"
    assert (
        json.loads(printed.stdout)["sections"][-2]["blocks"][0]["rows"][0]["cells"]["recipe"]
        == asdict(RECIPES["rouge1"])["text"]
    )


def test_a_calibration_of_an_older_program_has_no_curve_and_says_so(tmp_path: Path) -> None:
    figure = {"value": 0.2, "low": 0.1, "high": 0.3}
    about = {"set": "s", "images": 40, "articles": 9, "right": 30, "index": "i", "model": "m", "prompt": "p"}
    made = {"weights": {"nearness": 2.0}, "bias": -1.0, "threshold": 0.4}
    data = {
        "recipe": MADE, "risk": 0.25, "aurc": 0.2, "aurc_ideal": 0.05, "coverage": 0.8, "failures": 0,
        "aurc_alone": {"nearness": 0.2, "score before": 0.22}, "risk_at_0.8": figure,
        "calibration": {**made, "made_from": {**about, "truth": "records", "content": "radiology@1"}},
        "errors_taken_away_at_0.8": figure, "errors_taken_away_at_0.8_before": figure,
    }  # fmt: skip
    (tmp_path / "c-results.json").write_text(json.dumps(data))
    document = document_of(tmp_path)
    assert "run evaluate calibrate again" in document.unmeasured["risk by coverage"]
    assert "which keeps 80 % of these images" in text_of(tmp_path)
    curve = {"coverage": [0.5, 1.0], "risk": [0.1, 0.25], "ideal": [0.0, 0.25]}
    (tmp_path / "c-results.json").write_text(json.dumps({**data, "curve": curve}))
    assert document_of(tmp_path).unmeasured == {}
    assert "Risk by coverage" in text_of(tmp_path)
