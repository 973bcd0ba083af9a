"""Two runs beside each other."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from held_runs import MADE, HeldRun, described, evidence, failed, held_run, image_file

import batch.run_folder
import imaging
from batch.diff import diff, words_changed
from batch.diff_show import WIDTH, show
from batch.run_folder import Planned
from commands.batch_diff import diff_command


@pytest.fixture
def runs(tmp_path: Path) -> tuple[HeldRun, HeldRun]:
    """Ten ids of each kind of difference, `only_a` and `only_b` beside them."""
    image, other = image_file(tmp_path, "a.png"), image_file(tmp_path, "b.png")

    def say(id_: str, text: str, **more: Any) -> Any:
        return described(more.pop("image", image), id_, text, **more)

    reordered = {"found": (evidence(1, id_="e2"), evidence(2, id_="e1"))}
    a = held_run(
        [
            say("same", "CT of the head", timings_s={"generate": 0.4, "total": 0.5}),
            say("word", "CT of the left lung"),
            say("all", "one two three"),
            say("quiet", ""),
            say("other", "an image"),
            say("mended", "well"),
            say("order", "x"),
            say("only_a", "x"),
        ],
        [failed("broken", "time", "took over 60 s"), failed("both")],
        name="aaaaaaaaaaaa",
    )
    b = held_run(
        [
            say("all", "four five six seven"),
            say("same", "CT of the head"),
            say("word", "CT of the right lung", found=(evidence(3),)),
            say("quiet", "something"),
            say("other", "an image", image=other),
            say("broken", "mended"),
            say("order", "x", **reordered),
            say("only_b", "x"),
        ],
        [failed("mended", "image", "damaged\nimage"), failed("both")],
        name="bbbbbbbbbbbb",
        settings={"retrieval": {"k": 5}, "prompt": {"template": "few_shot"}},
        date="2026-02-02T00:00:00+00:00",
    )
    return a, b


def test_each_image_of_both_is_counted_once(runs: tuple[HeldRun, HeldRun]) -> None:
    found = diff(*runs)
    assert found.outcomes == {
        ("described", "described"): 5,
        ("abstained", "described"): 1,
        ("described", "failed"): 1,
        ("failed", "described"): 1,
        ("failed", "failed"): 1,
    }
    assert found.both == sum(found.outcomes.values()) == 9
    assert (found.same, found.different) == (3, 2)
    assert (found.only_a.count, found.only_a.first) == (1, "only_a")
    assert (found.only_b.count, found.only_b.first) == (1, "only_b")
    assert found.other_images == 1
    assert [(row.id, row.run, row.kind, row.reason) for row in found.failed_in_one] == [
        ("broken", "a", "time", "took over 60 s"),
        ("mended", "b", "image", "damaged\nimage"),
    ]


def test_what_shapes_texts_is_told_apart_from_circumstances(runs: tuple[HeldRun, HeldRun]) -> None:
    found = diff(*runs)
    assert [str(change) for change in found.changed] == ["settings.retrieval.k was 3, is 5"]
    assert [change.key for change in found.circumstances] == ["date"]


def test_evidence_that_differs_is_counted_apart_from_its_order(runs: tuple[HeldRun, HeldRun]) -> None:
    found = diff(*runs)
    assert (found.other_evidence, found.other_order) == (1, 1)


def test_words_are_counted_where_texts_differ(runs: tuple[HeldRun, HeldRun]) -> None:
    assert words_changed("CT of the left lung", "CT of the right lung") == (pytest.approx(0.2), 1)
    assert words_changed("a b c", "a b c d e") == (pytest.approx(0.25), 2)
    assert words_changed("a", "a") == (0, 0)
    words = diff(*runs).words
    assert words is not None
    assert words.mean == words.median == pytest.approx(0.6)
    assert (words.longest, words.longest_id) == (4, "all")


def test_the_most_changed_come_first_and_no_more_than_are_shown(tmp_path: Path) -> None:
    image = image_file(tmp_path, "a.png")
    texts = {f"i{n}": " ".join(["same"] * (10 - n) + [f"word{n}"] * n) for n in range(1, 9)}
    a = held_run([described(image, id_, "same " * 10) for id_ in texts])
    b = held_run([described(image, id_, text) for id_, text in texts.items()])
    found = diff(a, b)
    assert [example.id for example in found.examples] == ["i8", "i7", "i6", "i5", "i4"]
    assert found.different == 8


def test_seconds_are_the_mean_of_a_runs_records(runs: tuple[HeldRun, HeldRun]) -> None:
    found = diff(*runs)
    assert found.a.seconds["generate"] == pytest.approx((0.4 + 7 * 0.2) / 8)
    assert found.a.seconds["decode"] == pytest.approx(7 * 0.01 / 8)
    assert found.b.seconds["total"] == pytest.approx(0.21)


def test_a_run_and_itself_do_not_differ(runs: tuple[HeldRun, HeldRun]) -> None:
    found = diff(runs[0], runs[0])
    assert (found.changed, found.circumstances, found.different, found.other_evidence) == ((), (), 0, 0)
    assert (found.same, found.words, found.examples) == (7, None, ())
    text = show(found)
    assert "alike, in all that shapes a text" in text
    assert "Most changed" not in text


def test_the_page_says_it_in_lines_that_fit(runs: tuple[HeldRun, HeldRun]) -> None:
    text = show(diff(*runs))
    for line in (
        "  settings.retrieval.k  3 -> 5",
        "Their images: 9 in both",
        "  1 only in A; the first is 'only_a'",
        "          3   33.3%  the same text",
        "          1   11.1%  abstained in A, described in B",
        "          1   11.1%  failed in both",
        "  failed in A: 1 by time, 1 by image",
        "  only in B, mended: damaged image",
        "Evidence: other in 1 prompts, the same in another order in 1",
        "  all  (100% of the words)",
        "    B  four five six seven",
    ):
        assert f"{line}\n" in text, text
    assert max(len(line) for line in text.splitlines()) <= WIDTH


def test_runs_of_other_inputs_are_told_as_such(tmp_path: Path) -> None:
    image = image_file(tmp_path, "a.png")
    found = diff(held_run([described(image, "a", "x")]), held_run([described(image, "b", "\x1b[31mx")]))
    assert found.both == 0
    assert "No image is in both" in show(found)


def test_another_second_image_is_another_image(tmp_path: Path) -> None:
    front, side, other = (imaging.load(image_file(tmp_path, name)) for name in ("a.png", "b.png", "c.png"))
    a, b = (held_run([described(tmp_path / "a.png", "i", "x", images=(front, second))]) for second in (side, other))
    assert diff(a, b).other_images == 1
    assert diff(a, a).other_images == 0


def test_what_was_not_tried_yet_is_waiting(tmp_path: Path) -> None:
    image = image_file(tmp_path, "a.png")
    done = held_run([described(image, "a", "x")])
    begun = HeldRun(Path("runs/b"), MADE, [Planned("a", "a.png", None, None)], [], None)
    assert diff(done, begun).outcomes == {("described", "waiting"): 1}
    assert "described in A, not described yet in B" in show(diff(done, begun))


@pytest.fixture
def asked(runs: tuple[HeldRun, HeldRun], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    by_name = {run.name: run for run in runs}
    monkeypatch.setattr(batch.run_folder, "read_run", lambda folder: by_name[folder.name])

    def ask(*more: str) -> str:
        done = CliRunner().invoke(diff_command, [*by_name, *more], catch_exceptions=False)
        assert done.exit_code == 0
        return done.stdout

    return ask


def test_the_command_prints_a_page_or_json(asked: Callable[..., str], runs: tuple[HeldRun, HeldRun]) -> None:
    assert asked() == show(diff(*runs))
    told = json.loads(asked("--json"))
    assert told["changed"] == [{"key": "settings.retrieval.k", "was": 3, "now": 5}]
    assert {"a": "failed", "b": "failed", "images": 1} in told["outcomes"]
    assert told["a"]["outcomes"] == {"described": 7, "abstained": 1, "failed": 2}
    assert told["examples"][0]["id"] == "all"
