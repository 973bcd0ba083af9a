"""A picture is found on another wherever it lies, at whatever scale, though only some places are looked at."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from imaging.contrast import fitted, grey, local_contrast
from imaging.placement import SCALES, SIDE, Placement, Template
from pocket.render import render

PIXEL = 8
"""Of a picture this many times as large as it is here."""
PICTURE = Image.fromarray(render("tissue", 3).pixels).convert("L").resize((SIDE * PIXEL, SIDE * PIXEL))


def best(sought: Image.Image, other: Image.Image) -> Placement:
    template = Template(local_contrast(grey(sought, *fitted(sought.size, 64)), 3))
    ((first, *_),) = template.places([other.resize((SIDE, SIDE), Image.Resampling.BOX)], 0.5, 3)
    return first


@pytest.mark.parametrize("down", range(-5, 6))
@pytest.mark.parametrize("across", range(-5, 6))
def test_every_shift_is_found(down: int, across: int) -> None:
    moved = Image.fromarray(np.roll(np.asarray(PICTURE), (down * PIXEL, across * PIXEL), (0, 1)))
    found = best(PICTURE, moved)
    assert found.score > 0.85
    np.testing.assert_allclose(found.matrix[:, 2] * SIDE, (across, down), atol=0.6)


@pytest.mark.parametrize("scale", SCALES[::2])
def test_every_scale_is_found(scale: float) -> None:
    side = round(SIDE * PIXEL / 1.4)
    small, large = (round(side * min(1.0, factor)) for factor in (scale, 1 / scale))
    middle = SIDE * PIXEL / 2
    sought, other = (
        PICTURE.crop((*(2 * [round(middle - n / 2)]), *(2 * [round(middle + n / 2)]))) for n in (small, large)
    )
    found = best(sought, other)
    assert found.score > 0.85
    assert found.matrix[0, 0] == pytest.approx(small / large, rel=0.06)
    assert found.matrix[1, 1] == pytest.approx(small / large, rel=0.06)


def test_another_picture_has_no_place() -> None:
    other = Image.fromarray(render("tissue", 4).pixels).convert("L")
    template = Template(local_contrast(grey(PICTURE, 64, 64), 3))
    assert template.places([other.resize((SIDE, SIDE), Image.Resampling.BOX)], 0.5, 3) == [[]]
