import random
from collections import Counter

import numpy as np
import pytest

from pocket.facts import CANNOT_TELL
from pocket.render import RENDER_KINDS, Rendered, RenderKind, render
from pocket.render_slice import SLICES
from pocket.render_slice_contrast import as_ct, as_mr
from pocket.render_slice_paint import Painter, Tissue
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
    assert made.pixels.ndim == 3
    assert made.pixels.shape[2] == 3
    assert min(made.pixels.shape[:2]) >= 320
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
    elif kind == "slice":
        assert made.facts.kind in ("ct", "mr")
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


@pytest.mark.parametrize("kind", ["smear", "closeup"])
def test_the_facts_count_the_boxes_of_a_smear(kind: RenderKind) -> None:
    for seed in range(SEED, SEED + 15):
        made = render(kind, seed)
        names = Counter(box[0] for box in made.boxes)
        assert (names["RBC"], names["WBC"], names["Platelets"]) == (
            made.facts.red,
            made.facts.white,
            made.facts.platelets,
        )
        assert set(names) <= {"RBC", "WBC", "Platelets"}
        _assert_within(made)


def test_the_facts_count_the_boxes_of_nuclei() -> None:
    for seed in range(SEED, SEED + 15):
        made = render("fluorescence", seed)
        assert [box[0] for box in made.boxes] == ["nucleus"] * (made.facts.nuclei or 0)
        _assert_within(made)


def _assert_within(made: Rendered) -> None:
    height, width = made.pixels.shape[:2]
    for _, left, top, right, bottom in made.boxes:
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height


def test_a_box_of_a_nucleus_is_brighter_than_the_frame() -> None:
    for seed in range(SEED, SEED + 15):
        made = render("fluorescence", seed)
        light = made.pixels.max(axis=2).astype(float)
        for _, left, top, right, bottom in made.boxes:
            assert light[top:bottom, left:right].mean() > np.median(light), seed


def test_smears_differ_in_frame_and_in_what_they_hold() -> None:
    made = [render("smear", seed) for seed in range(SEED, SEED + 40)]
    assert len({m.pixels.shape for m in made}) >= 3
    assert {bool(m.facts.white) for m in made} == {True, False}
    assert 10 <= sum(bool(m.facts.platelets) for m in made) <= 30
    assert {m.facts.white for m in (render("closeup", seed) for seed in range(SEED, SEED + 20))} <= {1, 2}


def test_the_boxes_of_white_cells_hold_the_dark_of_their_nuclei() -> None:
    """The darkest tenth of each box is darker in green, which purple absorbs, than the frame's median."""
    for seed in range(SEED, SEED + 40):
        made = render("smear", seed)
        green = made.pixels[..., 1].astype(float)
        for name, left, top, right, bottom in made.boxes:
            if name == "WBC":
                assert np.percentile(green[top:bottom, left:right], 10) < 0.8 * np.median(green), seed


@pytest.mark.parametrize(("organ", "plane"), list(SLICES))
def test_every_slice_can_be_drawn_and_seen_by_both_modalities(organ: str, plane: str) -> None:
    painter = Painter(random.Random(SEED))
    SLICES[organ, plane](painter)
    assert len(np.unique(painter.labels)) >= 6
    for light in (
        as_ct(painter.labels, organ, plane, random.Random(SEED), np.random.default_rng(SEED)),
        as_mr(painter.labels, organ, random.Random(SEED), np.random.default_rng(SEED)),
    ):
        assert light.shape == (384, 384)
        assert 0 <= float(light.min()) < 0.1
        assert 0.4 < float(light.max()) <= 1


def test_bone_is_bright_in_ct_and_dark_in_mr() -> None:
    painter = Painter(random.Random(SEED))
    SLICES["head", "axial"](painter)
    bone = (painter.labels == Tissue.BONE).reshape(384, 2, 384, 2).all(axis=(1, 3))
    brain = np.isin(painter.labels, (Tissue.GREY, Tissue.WHITE)).reshape(384, 2, 384, 2).all(axis=(1, 3))
    for seed in range(5):
        ct = as_ct(painter.labels, "head", "axial", random.Random(seed), np.random.default_rng(seed))
        mr = as_mr(painter.labels, "head", random.Random(seed), np.random.default_rng(seed))
        assert np.median(ct[bone]) > np.median(ct[brain])
        assert np.median(mr[bone]) < np.median(mr[brain])


def test_slices_are_of_all_parts_in_both_modalities() -> None:
    facts = [render("slice", seed).facts for seed in range(SEED, SEED + 60)]
    assert {f.kind for f in facts} == {"ct", "mr"}
    assert {f.organ for f in facts} == {"head", "chest", "abdomen", "pelvis", "spine", "knee"}
    assert {f.plane for f in facts} == {"axial", "coronal", "sagittal"}
