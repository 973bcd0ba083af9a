"""Is one picture a copy of another: rescaled, recompressed, cropped, framed, labelled, relit, mirrored?

Pixels decide, in steps, each for what the one before lets through: a rough placement (`imaging.placement`); that
aligned at low resolution, and then at a higher one; the agreement of fine detail, block by block
(`imaging.alignment`). Two scans of the same plane agree in outline and not in detail.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cached_property, lru_cache

from PIL import Image

from imaging.alignment import Aligner, Judge
from imaging.contrast import Floats, detail, fitted, grey, local_contrast
from imaging.placement import SIDE, Placement, Template

COPY = 0.45
"""From this likeness on a picture is taken for a copy: between strangers' highest, 0.39, and copies' lowest, 0.54."""
PLACED = 0.5
"""Pictures that agree less than this in their best rough placement are looked at no further."""
PROMISING = 0.45
"""Nor are those that agree less than this where they are aligned at low resolution; copies agree by 0.69 or more."""
_APART = 0.5
"""Nor are they aligned further whose pixels have so little weight there, and keep it: none of 3,000 copies, half of the
strangers."""
_HOPELESS = 0.4
"""Where the best place agrees less than this, so aligned, the others are not tried: where another was the right one
(three of 3,000 copies) it agreed by 0.42 or more."""

_ROUGH, _EXACT, _TEMPLATE = 64, 128, 64
_PLACES = 3
_IN_VAIN = 2
_RADIUS = 3


class Sought:
    """A picture that copies are looked for of."""

    def __init__(self, picture: Image.Image) -> None:
        self._picture = picture.reduce(max(1, max(picture.size) // (2 * _EXACT))).convert("L")

    def likeness(self, thumbnails: Sequence[bytes]) -> list[float]:
        """How alike each picture (JPEG bytes) is, 0 to 1; 0 for those that are clearly another.

        Of those that are not clear the likeliest are looked at first, until two are no copies.
        """
        places = self._template.places([_small(data) for data in thumbnails], PLACED, _PLACES)
        order = sorted((i for i, found in enumerate(places) if found), key=lambda i: -places[i][0].score)
        likeness, in_vain = [0.0] * len(thumbnails), 0
        for position in order:
            if in_vain == _IN_VAIN:
                break
            likeness[position] = self._closest(thumbnails[position], places[position])
            in_vain = 0 if likeness[position] >= COPY else in_vain + 1
        return likeness

    def _closest(self, thumbnail: bytes, places: Sequence[Placement]) -> float:
        """The likeness in the best of these places, or in the first that shows a copy or leaves no hope of one."""
        other = _decoded(thumbnail, _EXACT)
        rough = grey(other, *fitted(other.size, _ROUGH))
        contrast, outline = local_contrast(rough, _RADIUS), detail(rough, _RADIUS)
        likeness = 0.0
        for place in places:
            matrix = self._rough.align(contrast, place.matrix, 8)
            agreement = self._rough_judge.agreement(outline, matrix)
            if agreement >= PROMISING:
                likeness = max(likeness, self._exact_likeness(other, matrix))
            if likeness >= COPY or agreement < _HOPELESS:
                break
        return likeness

    def _exact_likeness(self, other: Image.Image, matrix: Floats) -> float:
        values = grey(other, *fitted(other.size, _EXACT))
        matrix = self._exact.align(local_contrast(values, _RADIUS), matrix, 4)
        return self._judge.agreement(detail(values, _RADIUS), matrix)

    @cached_property
    def _template(self) -> Template:
        return Template(local_contrast(self._values(_TEMPLATE), _RADIUS))

    @cached_property
    def _rough(self) -> Aligner:
        return Aligner(self._values(_ROUGH), 0.5, _APART)

    @cached_property
    def _rough_judge(self) -> Judge:
        return Judge(self._values(_ROUGH), 8)

    @cached_property
    def _exact(self) -> Aligner:
        return Aligner(self._values(_EXACT), 0.35)

    @cached_property
    def _judge(self) -> Judge:
        return Judge(self._values(_EXACT), 12)

    def _values(self, side: int) -> Floats:
        return grey(self._picture, *fitted(self._picture.size, side))


def _decoded(data: bytes, side: int) -> Image.Image:
    """A JPEG in grey, longest side `side` pixels or somewhat more where it has so many: quicker than all of it."""
    picture = Image.open(io.BytesIO(data))
    divisor = max(1, max(picture.size) // side)
    picture.draft("L", (max(1, picture.width // divisor), max(1, picture.height // divisor)))
    return picture.convert("L")


@lru_cache(maxsize=4096)
def _small(data: bytes) -> Image.Image:
    """A thumbnail as rough placement takes it."""
    picture = _decoded(data, SIDE)
    return picture.resize(fitted(picture.size, SIDE), Image.Resampling.BOX)
