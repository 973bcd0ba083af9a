"""Rating tasks through the service: blind, by name, in the words of what was shown, and nothing acknowledged lost."""

from __future__ import annotations

import dataclasses
import io
import multiprocessing
import os
import random
import signal
import sqlite3
from pathlib import Path

import pytest
from PIL import Image

from evaluation.ratings.gold import read_gold
from evaluation.ratings.store import Store, read_ratings
from service import rated
from service.errors import CannotKeep, NotThere, Unusable
from service.rated import RatedTasks, RatingItem, Said
from tests.evaluation.ratings.made_ratings import ARMS, STANDARD, made_task

SCORES = Said(accuracy=4, completeness=3, usefulness=5)


@pytest.fixture
def pairs(tmp_path: Path) -> RatedTasks:
    made_task(tmp_path, "pairwise", images=12)
    return RatedTasks(tmp_path)


def item_of(tasks: RatedTasks, rater: str = "anna") -> RatingItem:
    item = tasks.next("pairwise", rater)
    assert item is not None
    return item


def test_tasks_are_known_by_name_and_files_that_are_none_are_passed_over(tmp_path: Path, pairs: RatedTasks) -> None:
    made_task(tmp_path, "single", images=4)
    (tmp_path / "notes.sqlite").write_bytes(b"no database")
    (tmp_path.parent / "outside.sqlite").write_bytes(b"")
    assert [(task.name, task.kind, task.raters) for task in pairs.all()] == [
        ("pairwise", "pairwise", 0),
        ("single", "single", 0),
    ]
    for name in ("notes", "../outside", "/etc/passwd", "", "single.sqlite", "*"):
        with pytest.raises(NotThere, match="rating task") as raised:
            pairs.next(name, "anna")
        assert str(tmp_path) not in str(raised.value)


def test_what_a_rater_sees_tells_no_arm_no_gold_and_no_path(tmp_path: Path) -> None:
    folder = tmp_path / "gold-images"
    folder.mkdir()
    Image.new("RGB", (8, 6)).save(folder / "g.png")
    (folder / "gold.jsonl").write_text(
        '{"image": "g.png", "first": "A CT.", "second": "A smear.", "preferred": "first"}\n'
    )
    gold = tuple(read_gold(folder / "gold.jsonl", "pairwise"))
    made_task(tmp_path, "pairwise", STANDARD, gold, images=6)
    tasks = RatedTasks(tmp_path)
    total = item_of(tasks).total
    seen = [tasks.item("pairwise", "anna", position) for position in range(total)]
    told = repr([dataclasses.astuple(item) for item in seen])
    assert "A smear." in told
    assert not any(word in told for word in (*ARMS, "gold", str(tmp_path), "swapped", ".png"))
    assert len({tuple(sorted(item.texts)) for item in seen}) > 1


def test_a_preference_is_kept_for_the_text_that_was_shown(tmp_path: Path, pairs: RatedTasks) -> None:
    chosen, swapped = {}, set()
    rng = random.Random(3)
    while (item := pairs.next("pairwise", "anna")) is not None:
        side = rng.choice(["A", "B"])
        assert pairs.save("pairwise", "anna", item.position, Said(preferred=side), 1.5) == "new"
        assert pairs.item("pairwise", "anna", item.position).said == Said(preferred=side)
        chosen[item.position] = item.texts["AB".index(side)]
    with Store.open(tmp_path / "pairwise.sqlite") as store:
        for given in store.plan("anna"):
            rating = store.rating("anna", given.item, given.occasion)
            assert rating is not None
            assert rating.seconds == 1.5
            kept = store.item(given.item).texts[["first", "second"].index(str(rating.answer.preferred))].text
            assert kept == chosen[given.position]
            swapped.add(given.swapped)
    assert swapped == {True, False}


def test_the_next_item_is_the_first_without_an_answer_and_an_earlier_one_can_be_changed(pairs: RatedTasks) -> None:
    first = item_of(pairs)
    assert (first.position, first.done, first.said) == (0, 0, None)
    said = Said(preferred="tie", comment="both wrong")
    assert [pairs.save("pairwise", " anna ", 0, said) for _ in range(2)] == ["new", "same"]
    assert (item_of(pairs).position, item_of(pairs).done) == (1, 1)
    assert pairs.save("pairwise", "anna", 0, Said(skipped=True)) == "replaced"
    assert pairs.item("pairwise", "anna", 0).said == Said(skipped=True)
    assert item_of(pairs, "bert").position == 0


@pytest.mark.parametrize(
    ("rater", "position", "said", "line"),
    [
        ("anna", 99, Said(preferred="A"), "there is no item 99: anna has 12"),
        ("anna", -1, Said(preferred="A"), "there is no item -1"),
        ("anna", 0, Said(), "preferred is None"),
        ("anna", 0, SCORES, "scores and edited texts are for single texts"),
        ("anna", 0, Said(preferred="A", skipped=True), "skipped, and yet answered"),
        ("", 0, Said(preferred="A"), "is no rater's name"),
        ("a\nb", 0, Said(preferred="A"), "is no rater's name"),
    ],
)
def test_what_is_no_answer_is_refused_and_nothing_is_kept(
    tmp_path: Path, rater: str, position: int, said: Said, line: str
) -> None:
    made_task(tmp_path, "pairwise", dataclasses.replace(STANDARD, repeated=0.0), images=12)
    with pytest.raises(Unusable, match=line):
        RatedTasks(tmp_path).save("pairwise", rater, position, said)
    assert read_ratings(tmp_path / "pairwise.sqlite").ratings == ()


def test_single_texts_are_scored(tmp_path: Path) -> None:
    made_task(tmp_path, "single", images=4)
    tasks = RatedTasks(tmp_path)
    said = dataclasses.replace(SCORES, edited="Better.")
    assert tasks.save("single", "anna", 0, said) == "new"
    with pytest.raises(Unusable, match="accuracy is 6: give 1 to 5"):
        tasks.save("single", "anna", 1, dataclasses.replace(SCORES, accuracy=6))
    (rating,) = read_ratings(tmp_path / "single.sqlite").ratings
    assert (rating.answer.scores, rating.answer.edited) == (SCORES.answer(False).scores, "Better.")


def test_pictures_are_jpegs_without_what_their_files_say(tmp_path: Path, pairs: RatedTasks) -> None:
    item_of(pairs)
    data = pairs.picture("pairwise", "anna", 3)
    with Image.open(io.BytesIO(data)) as picture:
        assert (picture.format, picture.size, picture.getexif()) == ("JPEG", (8, 6), {})
    for file in (tmp_path / "images").iterdir():
        file.unlink()
    with pytest.raises(NotThere, match="cannot be read where the service runs") as raised:
        pairs.picture("pairwise", "anna", 3)
    assert str(tmp_path) not in str(raised.value)


def test_a_task_has_no_more_raters_than_may_be(pairs: RatedTasks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rated, "_MOST_RATERS", 2)
    for name in ("anna", "bert"):
        item_of(pairs, name)
    with pytest.raises(Unusable, match="has 2 raters, as many as may be"):
        item_of(pairs, "carl")
    item_of(pairs, "anna")


def test_what_cannot_be_written_is_one_line_without_a_path(
    tmp_path: Path, pairs: RatedTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    item_of(pairs)
    monkeypatch.setattr("evaluation.ratings.store._BUSY_TIMEOUT_S", 0.05)
    holder = sqlite3.connect(tmp_path / "pairwise.sqlite")
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(
        CannotKeep, match=r"^rating task pairwise: nothing was kept of this request: database is locked"
    ):
        pairs.save("pairwise", "anna", 0, Said(preferred="A"))
    holder.close()
    assert pairs.save("pairwise", "anna", 0, Said(preferred="A")) == "new"


def _rates_for_ever(folder: Path, rater: str, acknowledged: int) -> None:
    tasks = RatedTasks(folder)
    while (item := tasks.next("pairwise", rater)) is not None:
        tasks.save("pairwise", rater, item.position, Said(preferred="AB"[item.position % 2]))  # type: ignore[arg-type]
        os.write(acknowledged, f"{rater} {item.position}\n".encode())
    os.write(acknowledged, b"end\n")


def test_what_was_acknowledged_to_raters_survives_kills(tmp_path: Path) -> None:
    """Processes that rate are killed at any moment, again and again; all that they had acknowledged is there."""
    made_task(tmp_path, "pairwise", images=60)
    fork = multiprocessing.get_context("fork")
    rng = random.Random()
    told: set[str] = set()
    ends = kills = 0
    while ends < 2:
        read_end, write_end = os.pipe()
        children = [fork.Process(target=_rates_for_ever, args=(tmp_path, name, write_end)) for name in ("anna", "bert")]
        for child in children:
            child.start()
        os.close(write_end)
        if kills < 6:
            children[0].join(rng.uniform(0.02, 0.3))
            for child in children:
                if child.pid is not None and child.is_alive():
                    os.kill(child.pid, signal.SIGKILL)
                    kills += 1
        with os.fdopen(read_end) as lines:
            said = lines.read().splitlines()
        for child in children:
            child.join()
        ends += said.count("end")
        told |= {line for line in said if line.count(" ") == 1 and line.split(" ")[1].isdigit()}
        with Store.open(tmp_path / "pairwise.sqlite") as store:
            kept = {
                f"{name} {given.position}"
                for name in ("anna", "bert")
                for given in store.plan(name)
                if store.rating(name, given.item, given.occasion) is not None
            }
        assert told <= kept
    assert kills >= 2
    assert len(kept) >= len(told) > 100  # what was kept and not yet told when the process died is no loss
