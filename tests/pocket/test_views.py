"""Augmented views keep to what is true, and the density of cells adds up."""

import random

import numpy as np
import pytest

from pocket.augment import Box, view
from pocket.facts import Facts
from pocket.render import RenderKind, render
from pocket.trunk import FIELD_SIZE
from pocket.vision import CELLS, density

COUNTS = {"RBC": "red", "WBC": "white", "Platelets": "platelets", "nucleus": "nuclei"}


@pytest.mark.parametrize("kind", ["smear", "closeup", "fluorescence"])
def test_the_cells_of_a_view_are_those_it_counts(kind: RenderKind) -> None:
    for seed in range(25):
        made = render(kind, seed)
        shown = view(made.pixels, made.boxes, made.facts, random.Random(seed))
        assert shown.pixels.shape == (FIELD_SIZE, FIELD_SIZE, 3)
        for name, fact in COUNTS.items():
            count = getattr(shown.facts, fact)
            assert count is None or count == sum(box[0] == name for box in shown.boxes)
        assert all(0 <= low < high <= 1.001 for box in shown.boxes for low, high in (box[1::2], box[2::2]))


def test_a_box_follows_its_cell_through_flips_and_turns() -> None:
    """A dark disc on white, its box known: wherever the view puts it, the box lies around the dark pixels."""
    pixels = np.full((300, 400, 3), 255, np.uint8)
    pixels[40:80, 300:350] = 0
    boxes: list[Box] = [("WBC", 300, 40, 350, 80)]
    for seed in range(20):
        shown = view(pixels, boxes, Facts("smear", white=1), random.Random(seed))
        if not shown.boxes:
            continue
        _, left, top, right, bottom = shown.boxes[0]
        grey = shown.pixels.mean(axis=2)
        dark = np.argwhere(grey < (grey.min() + grey.max()) / 2) / FIELD_SIZE
        assert np.abs(dark.min(axis=0) - [top, left]).max() < 0.06
        assert np.abs(dark.max(axis=0) - [bottom, right]).max() < 0.06


def test_a_white_cell_half_in_the_view_is_neither_there_nor_not() -> None:
    found = {None: 0, 0: 0, 1: 0}
    made = np.full((480, 640, 3), 230, np.uint8)
    for seed in range(200):
        shown = view(made, [("WBC", 200, 150, 400, 330)], Facts("smear", white=1), random.Random(seed))
        found[shown.facts.white] += 1
    assert all(found.values()), found


def test_density_adds_up_to_the_cells() -> None:
    boxes: list[Box] = [("RBC", 0.0, 0.0, 0.3, 0.2), ("RBC", 0.9, 0.9, 1.0, 1.0), ("nucleus", 0.5, 0.5, 0.501, 0.501)]
    field = density(boxes)
    assert field.shape == (144, len(CELLS))
    assert np.allclose(field.sum(axis=0), [2, 0, 0, 1], atol=1e-3)
    assert field[0, 0] > 0
    assert field[143, 0] == pytest.approx(1 / 4, abs=0.6)
