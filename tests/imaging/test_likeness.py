"""A copy is told from another picture by its pixels, however it was changed; two pictures of a kind are no copies."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from imaging import COPY, Sought, thumbnail
from imaging.contrast import detail, inside_frame, local_contrast
from pocket.render import RenderKind, render

SEED = 5


def picture(kind: RenderKind, seed: int = SEED) -> Image.Image:
    return Image.fromarray(render(kind, seed).pixels)


def likeness(asked: Image.Image, held: Image.Image) -> float:
    return Sought(asked).likeness([thumbnail(held)])[0]


def scaled(image: Image.Image, across: float, down: float | None = None) -> Image.Image:
    return image.resize((round(image.width * across), round(image.height * (down or across))), Image.Resampling.BICUBIC)


def recompressed(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=40)
    return Image.open(buffer).convert("RGB")


def cropped(image: Image.Image) -> Image.Image:
    w, h = image.size
    return image.crop((round(0.12 * w), round(0.02 * h), round(0.95 * w), round(0.9 * h)))


def labelled(image: Image.Image) -> Image.Image:
    """A text box over 8 % of the picture, right in its middle."""
    out, (w, h) = image.copy(), image.size
    draw = ImageDraw.Draw(out)
    draw.rectangle((0.3 * w, 0.42 * h, 0.7 * w, 0.62 * h), fill="white")
    draw.text((0.35 * w, 0.48 * h), "FIGURE 2B", "black", font_size=h / 12)
    return out


def padded(image: Image.Image) -> Image.Image:
    out = Image.new("RGB", (image.width + 70, image.height + 60), "white")
    out.paste(image, (15, 45))
    return out


def relit(image: Image.Image) -> Image.Image:
    values = (np.asarray(image, np.float32) / 255) ** 1.3 * 0.8 + 0.1
    return Image.fromarray((values * 255).astype(np.uint8))


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "same": lambda image: image,
    "smaller": lambda image: scaled(image, 0.5),
    "larger": lambda image: scaled(image, 1.7),
    "stretched": lambda image: scaled(image, 1.08, 0.97),
    "recompressed": recompressed,
    "cropped": cropped,
    "labelled": labelled,
    "padded": padded,
    "relit": relit,
    "grey": lambda image: image.convert("L").convert("RGB"),
    "mirrored": ImageOps.mirror,
    "all at once": lambda image: recompressed(scaled(relit(labelled(cropped(image))), 0.6)),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", ["slice", "smear", "tissue"])
def test_a_copy_is_known_though_it_was_changed(kind: RenderKind, change: str) -> None:
    original = picture(kind)
    assert likeness(CHANGES[change](original), original) >= COPY


@pytest.mark.parametrize("change", ["cropped", "padded", "labelled", "all at once"])
def test_it_does_not_matter_which_of_the_two_was_changed(change: str) -> None:
    original = picture("slice")
    assert likeness(original, CHANGES[change](original)) >= COPY


def test_a_copy_made_square_is_known() -> None:
    original = picture("slice").crop((0, 40, 384, 330))
    assert likeness(original.resize((256, 256)), original) >= COPY


@pytest.mark.parametrize("kind", ["slice", "smear", "tissue", "fluorescence"])
def test_other_pictures_of_a_kind_are_no_copies(kind: RenderKind) -> None:
    others = [thumbnail(picture(kind, seed)) for seed in range(SEED + 1, SEED + 9)]
    assert max(Sought(picture(kind)).likeness(others)) < COPY


def test_two_heads_with_one_outline_are_no_copies() -> None:
    """What two aligned skulls share is an edge, which any two skulls share."""
    heads = []
    for seed in (1, 2):
        noise = np.random.default_rng(seed).normal(110, 18, (48, 48)).clip(0, 255).astype(np.uint8)
        inner = Image.fromarray(noise).resize((256, 256), Image.Resampling.BICUBIC).convert("RGB")
        head, mask = Image.new("RGB", (256, 256)), Image.new("L", (256, 256))
        ImageDraw.Draw(mask).ellipse((38, 18, 218, 238), fill=255)
        head.paste(inner, mask=mask)
        ImageDraw.Draw(head).ellipse((30, 10, 226, 246), outline="white", width=10)
        heads.append(head)
    assert likeness(heads[0], heads[1]) < COPY
    assert likeness(labelled(heads[0]), heads[0]) >= COPY


def test_several_are_judged_each_for_itself() -> None:
    original = picture("slice")
    held = [picture("slice", 9), cropped(original), picture("smear"), relit(original)]
    alike = [like >= COPY for like in Sought(original).likeness([thumbnail(one) for one in held])]
    assert alike == [False, True, False, True]
    assert Sought(original).likeness([]) == []


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (900, 3), (40, 40), (2000, 30)])
def test_pictures_of_any_size_are_compared(size: tuple[int, int]) -> None:
    shape = (size[1], size[0], 3)
    asked = Image.fromarray(np.random.default_rng(0).integers(0, 256, shape, np.uint8))
    blank = Image.new("RGB", size)
    held = [thumbnail(one) for one in (asked, blank, picture("slice"))]
    assert max(Sought(asked).likeness(held)[1:]) < COPY
    assert Sought(blank).likeness(held) == [0, 0, 0]


def test_local_contrast_does_not_depend_on_light() -> None:
    values = np.random.default_rng(1).normal(100, 20, (40, 40)).astype(np.float32)
    assert np.abs(local_contrast(values, 3) - local_contrast(values * 1.5 + 30, 3)).max() < 0.05
    assert np.abs(detail(np.full((9, 9), 7, np.float32), 2)).max() == 0


def test_a_frame_is_told_from_the_picture() -> None:
    values = np.random.default_rng(2).normal(100, 30, (40, 60)).astype(np.float32)
    assert inside_frame(values).all()
    values[:6] = 255
    values[:, 50:] = 255
    values[2, :5] = 30  # a little of a label
    inside = inside_frame(values)
    assert not inside[:6].any()
    assert not inside[:, 50:].any()
    assert inside[12:30, 10:40].all()
