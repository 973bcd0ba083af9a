import numpy as np
import pytest

from pocket import negatives
from pocket.render_graphic import GRAPHICS
from pocket.render_texture import TEXTURES, Maker
from pocket.views import FIRST_FREE_SEED

SEED = FIRST_FREE_SEED + 900
BIOMEDICAL = {"cell.png", "ihc.png", "retina.jpg", "microaneurysms.png", "phantom.png"}


def test_the_same_seed_draws_the_same_picture() -> None:
    for seed in range(SEED, SEED + 10):
        assert np.array_equal(negatives.drawn(seed), negatives.drawn(seed))


def test_no_two_of_fifty_drawn_pictures_are_alike() -> None:
    """Compared after both are shrunk to 16 x 16, so that grain alone does not tell them apart."""
    from PIL import Image

    shrunk = []
    for seed in range(SEED, SEED + 50):
        pixels = negatives.drawn(seed)
        assert pixels.dtype == np.uint8
        assert pixels.shape[2] == 3
        shrunk.append(np.asarray(Image.fromarray(pixels).resize((16, 16)), dtype=float))
    for n, one in enumerate(shrunk):
        for other in shrunk[:n]:
            assert np.abs(one - other).mean() > 2


@pytest.mark.parametrize("maker", [*TEXTURES, *GRAPHICS], ids=lambda maker: maker.__name__)
def test_every_maker_fills_its_frame(maker: Maker) -> None:
    import random

    for seed in range(4):
        assert maker(random.Random(seed), np.random.default_rng(seed), (240, 360)).shape == (240, 360, 3)


def test_photographs_are_split_once_and_show_nothing_biomedical() -> None:
    train, held_out = negatives.photos("train"), negatives.photos("held_out")
    assert held_out == negatives.DEV_PHOTOS
    assert len(train) >= 20
    assert not set(train) & set(held_out)
    assert not (set(train) | set(held_out)) & BIOMEDICAL


@pytest.mark.parametrize("name", [*negatives.photos("train"), *negatives.photos("held_out")])
def test_every_photograph_can_be_read(name: str) -> None:
    pixels = negatives.photo(name)
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3
    assert float(pixels.std()) > 5


def test_a_grey_part_has_no_colour_and_depends_on_the_seed_alone() -> None:
    pixels = negatives.photo("chelsea.png")
    made = negatives.grey(pixels, "a")
    assert np.array_equal(made, negatives.grey(pixels, "a"))
    assert not np.array_equal(made, negatives.grey(pixels, "b"))
    assert (made == made[..., :1]).all()
    assert np.ptp(made) > 50
