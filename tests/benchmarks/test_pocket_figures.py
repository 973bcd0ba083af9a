import argparse
import json
import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks import foils, pocket_house, pocket_sets
from benchmarks.chances import chances
from benchmarks.pocket_table import END, START, Bar, Row, fill, markdown
from benchmarks.reliability import calibration_error
from evaluation.statistics.intervals import estimate


def test_calibration_error_by_hand() -> None:
    # bin (0.5, 0.6]: mean 0.6, one of two right; bin (0.9, 1.0]: mean 0.95, both right
    error, bins = calibration_error([0.6, 0.6, 0.92, 0.98], [True, False, True, True], "abcd")
    assert error.value == pytest.approx(2 / 4 * abs(0.5 - 0.6) + 2 / 4 * abs(1.0 - 0.95))
    assert [(b.low, b.count, b.accuracy) for b in bins] == [(0.5, 2, 0.5), (0.9, 2, 1.0)]


def test_votes_go_to_the_nearest_where_they_are_even() -> None:
    known = np.asarray([[1, 0], [0.8, 0.6], [0, 1]], np.float32)
    query = np.asarray([[0.9, math.sqrt(1 - 0.81)]], np.float32)
    near = ["b", "a", "a"] if (query @ known.T)[0, 0] > (query @ known.T)[0, 1] else ["a", "b", "a"]
    assert foils.votes(known, near, query, (2, 3)) == {"2-NN": ["b"], "3-NN": ["a"]}


def test_a_derangement_leaves_nothing_in_its_place() -> None:
    names = [f"image{n}" for n in range(7)]
    swapped = pocket_sets.derangement(names)
    assert sorted(swapped.values()) == names
    assert all(name != other for name, other in swapped.items())


@pytest.mark.parametrize("white", [True, False])
def test_a_crop_holds_most_of_a_white_cell_or_nothing_of_any(white: bool) -> None:
    pixels, side = np.zeros((480, 640, 3), np.uint8), pocket_sets.CROP
    for seed in range(20):
        place = pocket_sets._crop_place(pixels, [[260, 177, 460, 377]], white, str(seed))
        assert place is not None
        left, top = place
        assert 0 <= left <= 640 - side
        assert 0 <= top <= 480 - side
        wide = max(0, min(460, left + side) - max(260, left))
        high = max(0, min(377, top + side) - max(177, top))
        assert wide * high >= 0.7 * 200 * 200 if white else wide * high == 0


def test_there_is_no_crop_where_none_fits() -> None:
    pixels = np.zeros((480, 640, 3), np.uint8)
    assert pocket_sets._crop_place(pixels, [], True, "seed") is None
    assert pocket_sets._crop_place(pixels, [[0, 0, 640, 480]], False, "seed") is None


def test_a_row_says_which_bars_are_met() -> None:
    row = Row(
        "set", "figure", 4, estimate([1, 1, 1, 0], "abcd"), estimate([1] * 4, "abcd"), Bar(">=", 0.9), Bar(">=", 0.9)
    )
    assert row.met == (False, True)
    assert "| no; **yes** |" in markdown([row])


def test_a_bar_with_p_needs_both() -> None:
    unsure = estimate([-0.1, 0.11] * 10, range(20), test=True)
    assert unsure.value > 0
    assert not Bar(">", 0.0).met(unsure)


def test_a_table_takes_the_place_of_the_last_one(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(f"Before\n{START}\nold\n{END}\nAfter\n")
    fill(page, "| new |")
    assert page.read_text() == f"Before\n{START}\n| new |\n{END}\nAfter\n"
    page.write_text("No marks")
    with pytest.raises(ValueError, match="has no"):
        fill(page, "| new |")


def test_the_model_card_holds_every_figure_of_the_last_run() -> None:
    root = Path(__file__).parents[2]
    rows = json.loads((root / "benchmarks" / "pocket.json").read_text())["rows"]
    card = (root / "pocket" / "README.md").read_text().split(START)[1].split(END)[0]
    shown = [line.strip("| ").split(" | ")[:3] for line in card.strip().splitlines()[2:]]
    assert shown == [[row["set"], row["figure"], str(row["n"])] for row in rows]
    for row, line in zip(rows, card.strip().splitlines()[2:], strict=True):
        assert all(f"{row[key]['value']:.3f}" in line for key in ("without", "with_") if row[key])


def test_the_chance_to_find_a_gain_grows_with_the_cases_where_there_is_one() -> None:
    random = np.random.default_rng(0)
    cases = [str(n // 2) for n in range(400)]
    small = chances(random.normal(0.1, 1, 400), cases, None, [20, 400])
    none = chances(np.tile([1.0, 1.0, -1.0, -1.0], 100), cases, None, [20, 400])
    assert small["20"]["p < 0.05"] < small["400"]["p < 0.05"]
    assert small["20"]["above 0"] < small["400"]["above 0"]
    for size in ("20", "400"):
        assert none[size]["p < 0.05"] < 0.15
        assert 0.3 < none[size]["above 0"] < 0.65


def test_the_chance_weighs_classes_alike() -> None:
    gains = np.asarray([1.0] * 90 + [-3.0] * 10)
    cases, classes = [str(n) for n in range(100)], ["common"] * 90 + ["rare"] * 10
    assert chances(gains, cases, None, [100])["100"]["above 0"] == 1
    assert chances(gains, cases, classes, [100])["100"]["above 0"] == 0


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "clip").mkdir()
    assert pocket_house.folder(str(tmp_path)) == tmp_path
    with pytest.raises(argparse.ArgumentTypeError, match="vlm: no such folder"):
        pocket_house.weights(str(tmp_path))
    (tmp_path / "vlm").mkdir()
    assert pocket_house.weights(str(tmp_path)) == tmp_path
