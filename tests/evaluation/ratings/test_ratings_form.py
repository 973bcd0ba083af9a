"""The terminal form: what keys do, what the screen says, and that nothing on it names an arm."""

import itertools
import re
from dataclasses import replace
from pathlib import Path

import pytest
from made_ratings import ARMS, made_task
from PIL import Image

from evaluation.ratings.exchange import FORMATS, export
from evaluation.ratings.form import Form
from evaluation.ratings.gold import read_gold
from evaluation.ratings.making import Sample
from evaluation.ratings.preview import preview
from evaluation.ratings.session import Session
from evaluation.ratings.store import Store, read_ratings
from evaluation.ratings.types import Answer, Kind


def form(file: Path, rater: str = "anna") -> tuple[Form, Store]:
    store = Store.open(file)
    ticks = itertools.count(0, 5)
    return Form(Session(store, rater, clock=lambda: next(ticks))), store


def press(form: Form, keys: str) -> list[str]:
    return [form.press(key) for key in keys]


def test_three_scores_are_an_answer_and_the_next_item_comes(tmp_path: Path) -> None:
    shown, store = form(made_task(tmp_path))
    with store:
        text = shown.page.texts[0]
        press(shown, "54")
        assert store.ratings() == ()
        press(shown, "3")
        (kept,) = store.ratings()
        assert kept.answer == Answer(5, 4, 3)
        assert kept.seconds == 5
        assert store.item(kept.item).texts[0].text == text
        assert shown.page.position == 1


def test_the_side_that_was_shown_is_what_is_preferred(tmp_path: Path) -> None:
    shown, store = form(made_task(tmp_path, "pairwise"))
    sides = set()
    with store:
        while not shown.finished:
            wanted = shown.page.texts[0]
            sides.add(shown.page.swapped)
            before = set(store.ratings())
            press(shown, "1")
            (kept,) = set(store.ratings()) - before
            texts = store.item(kept.item).texts
            assert wanted == texts[0 if kept.answer.preferred == "first" else 1].text
    assert sides == {True, False}


def test_back_shows_what_was_said_and_lets_it_be_changed(tmp_path: Path) -> None:
    shown, store = form(made_task(tmp_path))
    with store:
        shown.comment("blurred")
        press(shown, "543b")
        assert "(was 5)" in shown.screen()
        assert "comment: blurred" in shown.screen()
        press(shown, "\r")
        assert (shown.page.position, store.replaced()) == (1, 0)
        press(shown, "b")
        shown.edit("A better text.")
        press(shown, "\r")
        (kept,) = store.ratings()
        assert kept.answer == Answer(5, 4, 3, comment="blurred", edited="A better text.")
        press(shown, "b111")
        assert store.ratings()[0].answer == Answer(1, 1, 1, comment="blurred", edited="A better text.")
        assert "changed" in shown.screen()
        assert store.replaced() == 2


def test_skipping_is_known_and_can_be_undone(tmp_path: Path) -> None:
    shown, store = form(made_task(tmp_path, "pairwise"))
    with store:
        press(shown, "s")
        assert store.ratings()[0].answer.skipped
        press(shown, "b")
        assert "you skipped it" in shown.screen()
        press(shown, "3")
        assert store.ratings()[0].answer == Answer(preferred="tie")


@pytest.mark.parametrize("key", ["x", "6", "0", "9", "\x1b[A", "é", "²"])
def test_a_key_that_means_nothing_is_told_and_changes_nothing(key: str, tmp_path: Path) -> None:
    shown, store = form(made_task(tmp_path))
    with store:
        press(shown, "4")
        assert shown.press(key) == "draw"
        assert "is no key here" in shown.screen()
        assert "accuracy      4" in shown.screen()
        assert store.ratings() == ()


def test_an_item_without_an_answer_is_not_passed(tmp_path: Path) -> None:
    shown, store = form(made_task(tmp_path))
    with store:
        press(shown, "\r")
        assert "not answered yet: s skips" in shown.screen()
        press(shown, "b")
        assert "this is the first one" in shown.screen()
        assert shown.page.position == 0


def test_the_end_is_told(tmp_path: Path) -> None:
    shown, store = form(made_task(tmp_path, "pairwise", Sample(items=2)))
    with store:
        press(shown, "12")
        assert shown.finished
        assert "That was the last one" in shown.screen()
        assert press(shown, "1q") == ["draw", "quit"]
        press(shown, "b")
        assert "you said: B" in shown.screen()


def test_an_edit_that_changes_nothing_is_none(tmp_path: Path) -> None:
    shown, store = form(made_task(tmp_path))
    with store:
        shown.edit(f" {shown.page.texts[0]} ")
        press(shown, "333")
        assert store.ratings()[0].answer.edited == ""


def test_lines_that_the_keyboard_ran_together_are_no_edit(tmp_path: Path) -> None:
    """A terminal's line offers a text of several lines as one: what is sent back unchanged changes nothing."""
    file = made_task(tmp_path, texts={n: f"Axial CT {n}.\n\n- a line\n- another" for n in range(30)})
    shown, store = form(file)
    with store:
        text = shown.page.texts[0]
        shown.edit(" ".join(text.split()))
        press(shown, "333")
        assert "\n" in text
        (kept,) = store.ratings()
        assert kept.answer == Answer(3, 3, 3)
        store.save(replace(kept, answer=Answer(3, 3, 3, comment="two\nlines", edited="Better,\n\nI think.")))
        press(shown, "b")
        shown.comment("two lines")
        shown.edit("Better, I think.")
        press(shown, "\r")
        assert store.ratings()[0].answer == Answer(3, 3, 3, comment="two\nlines", edited="Better,\n\nI think.")
        press(shown, "b")
        shown.comment("")
        shown.edit(text)
        press(shown, "\r")
        assert store.ratings()[0].answer == Answer(3, 3, 3)


def test_no_text_can_steer_the_terminal(tmp_path: Path) -> None:
    shown, store = form(made_task(tmp_path))
    with store:
        shown.comment("\x1b[2J\x07\u202eevil")
        screen = shown.screen()
    assert not {char for char in screen if not char.isprintable() and char != "\n"}


@pytest.mark.parametrize("kind", ["single", "pairwise"])
def test_nothing_that_a_rater_sees_or_is_sent_names_an_arm(kind: Kind, tmp_path: Path) -> None:
    file = made_task(tmp_path, kind)
    shown, store = form(file)
    seen = []
    with store:
        while not shown.finished:
            press(shown, "v")
            seen += [shown.screen(), repr(shown.page)]
            press(shown, "1" if kind == "pairwise" else "123")
        seen.append(shown.screen())
    assert sum("A known caption." in screen for screen in seen) >= 60
    for format_ in FORMATS:
        seen += [written.read_text() for written in export(file, tmp_path / f"out.{format_}", format_)]
    assert len(seen) > 60
    for hidden in (*ARMS, "model of", "key of", "few_shot@1"):
        assert not any(hidden in text for text in seen)
    assert all(arm in repr(read_ratings(file)) for arm in ARMS)


@pytest.mark.parametrize("evidence", [True, False])
def test_gold_and_repeated_items_look_like_the_others(evidence: bool, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    Image.new("RGB", (8, 6)).save(tmp_path / "elsewhere" / "7.png")
    (tmp_path / "gold.jsonl").write_text('{"image": "elsewhere/7.png", "text": "Text 7 of 1.", "accuracy": 1}\n')
    gold = tuple(read_gold(tmp_path / "gold.jsonl", "single"))
    file = made_task(tmp_path, "single", Sample(repeated=0.5, evidence="show" if evidence else "hide"), gold)
    shown, store = form(file)
    looks, images = set(), []
    with store:
        while not shown.finished:
            images.append(shown.page.image)
            screen = shown.screen()
            assert ("[v] show evidence" in screen) == evidence
            looks.add(re.sub(r"\d+", "N", screen))
            press(shown, "123")
    assert len(looks) == 1  # every screen is the same but for its numbers
    assert sum("elsewhere" in image for image in images) == 1
    assert len(set(images)) < len(images)


def test_a_preview_has_the_colours_of_the_image(tmp_path: Path) -> None:
    made_task(tmp_path)
    lines = preview(str(tmp_path / "images" / "29.png")).split("\n")
    assert len(lines) <= 20
    assert "38;2;29;0;0;48;2;29;0;0m" in lines[0]
