import numpy as np
import pytest

from pocket.facts import CANNOT_TELL
from pocket.render import RENDER_KINDS, RenderKind, render
from pocket.views import FIRST_FREE_SEED

SEED = FIRST_FREE_SEED + 500


@pytest.mark.parametrize("kind", RENDER_KINDS)
def test_the_same_seed_gives_the_same_pixels_and_another_seed_others(kind: RenderKind) -> None:
    once, again, other = render(kind, SEED), render(kind, SEED), render(kind, SEED + 1)
    assert np.array_equal(once.pixels, again.pixels)
    assert once.facts == again.facts
    assert once.pixels.shape != other.pixels.shape or not np.array_equal(once.pixels, other.pixels)


@pytest.mark.parametrize("kind", RENDER_KINDS)
def test_pixels_are_rgb_bytes_and_the_caption_names_the_kind(kind: RenderKind) -> None:
    made = render(kind, SEED)
    assert made.pixels.dtype == np.uint8
    assert made.pixels.shape == (384, 384, 3)
    starts = {
        "smear": "Blood smear",
        "closeup": "Blood smear",
        "fluorescence": "Fluorescence",
        "tissue": "Stained tissue",
        "blank": CANNOT_TELL,
        "noise": CANNOT_TELL,
    }
    if kind == "radiograph":
        assert "X-ray" in made.caption
    else:
        assert made.caption.startswith(starts[kind])


def test_bright_islands_go_with_the_number_of_nuclei_in_the_facts() -> None:
    """Touching nuclei make one island, so there are somewhat fewer islands than nuclei, and never more."""
    from scipy import ndimage  # type: ignore[import-untyped]

    islands, nuclei = [], []
    for seed in range(SEED, SEED + 40):
        made = render("fluorescence", seed)
        assert made.facts.nuclei is not None
        if made.facts.nuclei <= 40:
            light = ndimage.gaussian_filter(made.pixels.max(axis=2).astype(float), 1.5)
            _, found = ndimage.label(light > (np.percentile(light, 99.8) + np.percentile(light, 20)) / 2.6)
            islands.append(found)
            nuclei.append(made.facts.nuclei)
    assert len(nuclei) > 10
    assert np.corrcoef(islands, nuclei)[0, 1] > 0.8
    assert 0.6 <= np.median(np.divide(islands, nuclei)) <= 1.05


def test_a_smear_with_white_cells_holds_the_purple_of_their_nuclei() -> None:
    for seed in range(SEED, SEED + 12):
        made = render("smear", seed)
        red, green, blue = (made.pixels[..., c].astype(int) for c in range(3))
        purple = int(((blue - green > 25) & (red < 150) & (green < 110)).sum())
        if not made.facts.white and not made.facts.platelets:
            assert purple < 200, seed
        if made.facts.white:
            assert purple > 20, seed
