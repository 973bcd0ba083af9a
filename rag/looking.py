"""Where the model looks: how much less likely its text becomes with a part of the image covered.

Occlusion (Zeiler and Fergus, 2014, "Visualizing and Understanding Convolutional Networks", section 4.2), of a text in
place of a class: a window of patches is painted with the image's mean colour, all else of the prompt, evidence
included, stays as it is, and the same text is scored again. A patch has the mean of the windows over it. What only the
evidence says costs nothing to cover.
"""

from __future__ import annotations

import io
from collections.abc import Generator
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageStat

from imaging import LoadedImage
from rag.errors import RequestError
from rag.pipeline import Pipeline
from rag.types import PreparedRequest
from vlm.types import Prompt

Box: TypeAlias = tuple[int, int, int, int]
"""Left, upper, right, lower, in pixels; the last two are outside."""
Cells: TypeAlias = NDArray[np.bool_]
"""Which patches of a grid are meant, `(grid, grid)`."""
WINDOW = 3
"""Patches of a side of what is covered at a time: one alone is seldom missed by a model that sees the rest."""

CIVIDIS = (
    (0, 34, 78), (26, 56, 111), (67, 78, 108), (97, 101, 111), (125, 124, 120), (155, 148, 118), (188, 174, 108),
    (222, 201, 88), (254, 232, 56),
)  # fmt: skip
"""Every eighth of the colour map cividis, dark blue to yellow: even steps of lightness, and the same order of colours
for those who see no red or no green (Nunez, Anderton and Renslow, 2018, doi:10.1371/journal.pone.0199239)."""
VEIL = 0.6
"""Share of the map's colour in a pixel of the overlay; the rest is the image in greys."""
LEAST = 0.05
"""Nats below which nothing is made of a patch: a text a twentieth less likely."""
LONGEST_SHOWN = 1024
"""Pixels of an overlay's side at the most: more would show no more patches."""
LONGEST_READ = 2048
"""Pixels of a covered image's side at the most: the models here read no more, or nearly so."""


@dataclass(frozen=True, eq=False)
class Heat:
    """How many nats less likely `text` is with a window over each patch: float32 `(grid, grid)`, first row uppermost.

    A patch below zero made it likelier by being covered. `logprob` is of the text with the whole image seen, and
    `whole` what covering all of it costs, both in nats: where `whole` is near zero the text rests on the rest of the
    prompt, and the map says nothing of the image.
    """

    patches: NDArray[np.float32]
    whole: float
    logprob: float
    text: str

    @property
    def hottest(self) -> tuple[int, int]:
        """Row and column of the patch that the text leans on most."""
        row, column = np.unravel_index(int(self.patches.argmax()), self.patches.shape)
        return int(row), int(column)

    @property
    def place(self) -> str:
        """Where the hottest patch is, in words: "upper left", "centre"; "nowhere" where none costs `LEAST`."""
        if self.patches.max() < LEAST:
            return "nowhere"
        grid = len(self.patches)
        down, across = ((2 * n + 1) * 3 // (2 * grid) for n in self.hottest)  # thirds
        words = f"{('upper', '', 'lower')[down]} {('left', '', 'right')[across]}".strip()
        return words or "centre"

    def png(self, image: LoadedImage) -> bytes:
        """The image in greys under the map's colours, as PNG: dark blue where covering costs nothing, yellow at most.

        The scale is the image's own, from zero to its hottest patch, or to `LEAST` where that costs less. No side is
        longer than `LONGEST_SHOWN`.
        """
        picture = _at_most(image, LONGEST_SHOWN).picture
        heights = self.patches.clip(min=0)
        stops = np.linspace(0, max(heights.max(), LEAST), len(CIVIDIS))
        colours = np.stack([np.interp(heights, stops, channel) for channel in zip(*CIVIDIS, strict=True)], axis=-1)
        veil = Image.new("RGB", picture.size)
        grid = len(heights)
        for box, colour in zip(boxes(*picture.size, grid), colours.reshape(-1, 3), strict=True):
            veil.paste(tuple(round(channel) for channel in colour), box)
        written = io.BytesIO()
        Image.blend(picture.convert("L").convert("RGB"), veil, VEIL).save(written, "PNG")
        return written.getvalue()


def occlusion(pipeline: Pipeline, item: PreparedRequest, text: str, grid: int = 7, begun: str = "") -> Heat:
    """Where in the first image of `item` the model looks for `text`. See `occluding`."""
    return next(step for step in occluding(pipeline, item, text, grid, begun) if isinstance(step, Heat))


def occluding(
    pipeline: Pipeline,
    item: PreparedRequest,
    text: str,
    grid: int = 7,
    begun: str = "",
    image: int = 0,
    window: int = WINDOW,
) -> Generator[float | Heat, None, None]:
    """Yields the share of the work that is done, 0 to 1, batch by batch, and last the Heat.

    `text` is what the model said of the request, or a part of it, `begun` being what it said before that. The number
    `image` says which of the request's images is covered. It takes `(grid - window + 1) ** 2 + 2` readings of the
    prompt. Closing the iterator leaves undone what is not begun.

    Raises RequestError where there is no such image and for a window that is no part of the grid, and VlmError:
    UnsupportedByServer of a server's model, PromptError for an empty text.
    """
    if not 0 <= image < len(item.images):
        raise RequestError(f"{item.request.id}: no image number {image + 1} to look at, there are {len(item.images)}")
    if not 1 <= window <= grid:
        raise RequestError(f"a window of {window} x {window} patches in a grid of {grid} x {grid}: make it smaller")
    shown = item.images[image]
    small = _at_most(shown, LONGEST_READ)
    windows = _windows(grid, window)
    hidden = [np.zeros_like(windows[0]), np.ones_like(windows[0]), *windows]
    together = pipeline.settings.batch_size
    found: dict[int, float] = {}
    for start in range(0, len(hidden), together):
        some = [showing(item.prompt.prompt, shown, covered(small, cells)) for cells in hidden[start : start + together]]
        for position, logprob in pipeline.speaker.engine.logprob(some, text, begun):
            found[start + position] = logprob
        yield len(found) / len(hidden)
    seen, unseen, *rest = (found[position] for position in range(len(hidden)))
    costs = seen - np.array(rest)
    patches = np.average(np.broadcast_to(costs[:, None, None], windows.shape), axis=0, weights=windows)
    yield Heat(patches.astype(np.float32), seen - unseen, seen, text)


def boxes(width: int, height: int, grid: int) -> list[Box]:
    """The patches of an image, row by row; together they are all of it. Some are empty where it has fewer pixels."""
    across, down = ([length * n // grid for n in range(grid + 1)] for length in (width, height))
    return [(left, upper, right, lower) for upper, lower in pairwise(down) for left, right in pairwise(across)]


def covered(image: LoadedImage, cells: Cells) -> LoadedImage:
    """A copy with these patches in the image's mean colour."""
    picture = image.picture.copy()
    mean = tuple(round(channel) for channel in ImageStat.Stat(image.picture).mean)
    for box, hide in zip(boxes(*picture.size, len(cells)), cells.flat, strict=True):
        if hide:
            picture.paste(mean, box)
    return replace(image, picture=picture)


def showing(prompt: Prompt, image: LoadedImage, other: LoadedImage) -> Prompt:
    """The prompt with `other` wherever it has `image`."""
    messages = (
        replace(message, parts=tuple(other if part is image else part for part in message.parts))
        for message in prompt.messages
    )
    return replace(prompt, messages=tuple(messages))


def _windows(grid: int, window: int) -> Cells:
    """bool `(n, grid, grid)`: the window at each of its places, row by row."""
    places = range(grid - window + 1)
    masks = np.zeros((len(places) ** 2, grid, grid), bool)
    for mask, (row, column) in zip(masks, product(places, places), strict=True):
        mask[row : row + window, column : column + window] = True
    return masks


def _at_most(image: LoadedImage, side: int) -> LoadedImage:
    """The image made smaller where a side is longer: many copies of it are in memory at once."""
    if max(image.picture.size) <= side:
        return image
    picture = image.picture.copy()
    picture.thumbnail((side, side))
    return replace(image, picture=picture)
