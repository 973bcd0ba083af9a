"""A rough placement of one picture on another made exact, and how well the two then agree.

Inverse compositional Gauss-Newton (Baker and Matthews, "Lucas-Kanade 20 years on", 2004) over the six numbers of an
affine map, on local contrast, so that light, contrast and gamma do not matter; pixels that disagree lose their weight
(Cauchy), so that a label does not pull. Turning, shearing and stretching are damped: copies hardly do it.
"""

from __future__ import annotations

import numpy as np

from imaging.contrast import Floats, detail, inside_frame, local_contrast

_DAMPING = np.array([0, 0.3, 0.3, 0.3, 0, 0])
_POINTS = 1500
_STILL, _LOST = 3e-4, 0.5
"""A step so small is the last one; one so large leads nowhere."""
_RISE = 0.004
"""Where a step raises the pixels' mean weight by less than this, the next will hardly raise it more."""
_COVERED = 0.6
_TEXTURE = 3.0
"""Mean square of a block's gradient along its edges, in squared grey levels a pixel: one of less counts as empty."""
_FAINT = 0.3
_BEST = 0.6
_LEAST_BLOCKS = 6
_RADIUS = 3


class Aligner:
    """A picture's grey values at one resolution, `(h, w)`, ready for others to be aligned to."""

    def __init__(self, values: Floats, tolerance: float, least: float = 0.0) -> None:
        """`tolerance` is the difference of local contrast at which a pixel has lost half its weight.

        Pictures whose pixels have a mean weight under `least`, and keep it, are aligned no further.
        """
        contrast = local_contrast(values, _RADIUS)
        down, across = np.gradient(contrast)
        height, width = values.shape
        longest = max(height, width)
        strength = np.where(inside_frame(values), down * down + across * across, 0).ravel()
        count = min(_POINTS, strength.size)
        chosen = np.sort(np.argpartition(strength, -count)[-count:])
        x, y = grid(height, width)
        self._at = np.stack([x[chosen], y[chosen], np.ones(count, np.float32)])
        self._values = contrast.ravel()[chosen]
        gx, gy = across.ravel()[chosen] * longest, down.ravel()[chosen] * longest
        px, py = self._at[0], self._at[1]
        # enlarging, stretching, turning, shearing, shifting
        self._steepest = np.stack([gx * px + gy * py, gx * px - gy * py, gy * px - gx * py, gx * py + gy * px, gx, gy])
        self._tolerance = tolerance
        self._least = least

    def align(self, contrast: Floats, matrix: Floats, steps: int) -> Floats:
        """A better map than `matrix` from this picture to the one of which `contrast` is the local contrast."""
        before = -1.0
        for _ in range(steps):
            seen, inside = sample(contrast, matrix @ self._at)
            error = seen - self._values
            weight = inside / (1 + (error / self._tolerance) ** 2)
            mean = float(weight.sum() / max(1.0, float(inside.sum())))
            if mean < self._least and mean - before < _RISE:
                break
            before = mean
            weighted = self._steepest * weight
            curvature = weighted @ self._steepest.T
            diagonal = np.diag(curvature)
            step = np.linalg.solve(
                curvature + np.diag(diagonal * _DAMPING + 1e-6 * diagonal.sum() + 1e-9), weighted @ error
            )
            largest = float(np.abs(step).max())
            if not largest < _LOST:
                break
            enlarge, stretch, turn, shear, right, down = step
            change = np.array(
                [[1 + enlarge + stretch, shear - turn, right], [shear + turn, 1 + enlarge - stretch, down], [0, 0, 1]]
            )
            matrix = (np.vstack([matrix, [0, 0, 1]]) @ np.linalg.inv(change))[:2].astype(np.float32)
            if largest < _STILL:
                break
        return matrix


class Judge:
    """A picture's fine detail, to be compared block by block with another's that is aligned to it.

    Edges alone prove nothing: any two skulls, once aligned, have the same outline. So in each block only the gradient
    *along* its main edge is compared, the weaker direction of the two pictures' common structure tensor: corners,
    crossings and texture, which are a picture's own.
    """

    def __init__(self, values: Floats, block: int) -> None:
        """`block` is the side of a block in pixels."""
        self._block = block
        self._detail = detail(values, _RADIUS)
        self._at = np.stack([*grid(*values.shape), np.ones(values.size, np.float32)])

    def agreement(self, other: Floats, matrix: Floats) -> float:
        """The mean correlation of the best 60 % of the blocks with texture in either picture; 0 where they are few.

        `other` is the other picture's detail.
        """
        seen, inside = sample(other, matrix @ self._at)
        mine, theirs = self._detail, seen.reshape(self._detail.shape)
        within = _eroded(inside.reshape(mine.shape))
        ay, ax = np.gradient(mine)
        by, bx = np.gradient(theirs)
        aw, bw = ax * within, bx * within
        av, bv = ay * within, by * within
        products = [within, aw * ax, av * ay, aw * ay, bw * bx, bv * by, bw * by, aw * bx, av * by, aw * by + av * bx]
        sums = _blocks(np.stack(products), self._block)
        count, a_xx, a_yy, a_xy, b_xx, b_yy, b_xy, ab_xx, ab_yy, ab_xy = sums
        weaker = 0.5 * np.arctan2(2 * (a_xy + b_xy), a_xx + b_xx - a_yy - b_yy) + np.pi / 2
        cos, sin = np.cos(weaker), np.sin(weaker)
        own = a_xx * cos**2 + a_yy * sin**2 + 2 * a_xy * cos * sin
        others = b_xx * cos**2 + b_yy * sin**2 + 2 * b_xy * cos * sin
        both = ab_xx * cos**2 + ab_yy * sin**2 + ab_xy * cos * sin
        used = (count > _COVERED * self._block**2) & (np.maximum(own, others) > _TEXTURE * count)
        if used.sum() < _LEAST_BLOCKS:
            return 0.0
        faint = (_FAINT * _TEXTURE * count) ** 2
        correlation = np.sort((both / np.sqrt(np.maximum(own * others, 0) + faint + 1e-6))[used])
        return float(correlation[-max(_LEAST_BLOCKS, round(_BEST * len(correlation))) :].mean())


def grid(height: int, width: int) -> tuple[Floats, Floats]:
    """x and y of each pixel, in units of the longest side, from the middle; each `(height * width,)`."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    longest = max(height, width)
    return ((x - (width - 1) / 2) / longest).ravel(), ((y - (height - 1) / 2) / longest).ravel()


def sample(values: Floats, at: Floats) -> tuple[Floats, Floats]:
    """`values` `(h, w)` between its pixels, and 1 where that is inside.

    `at` `(2, n)` is in units of the longest side, from the middle.
    """
    height, width = values.shape
    longest = max(height, width)
    x, y = at[0] * longest + (width - 1) / 2, at[1] * longest + (height - 1) / 2
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    left = np.clip(x, 0, width - 1.001).astype(np.intp)
    top = np.clip(y, 0, height - 1.001).astype(np.intp)
    right, down = np.clip(x - left, 0, 1), np.clip(y - top, 0, 1)
    flat, first = values.ravel(), top * width + left
    upper = flat[first] * (1 - right) + flat[first + 1] * right
    lower = flat[first + width] * (1 - right) + flat[first + width + 1] * right
    between: Floats = (upper * (1 - down) + lower * down).astype(np.float32)
    return between, inside.astype(np.float32)


def _eroded(inside: Floats) -> Floats:
    """Without the pixels whose gradient reaches outside."""
    within = inside.copy()
    within[1:] *= inside[:-1]
    within[:-1] *= inside[1:]
    within[:, 1:] *= inside[:, :-1]
    within[:, :-1] *= inside[:, 1:]
    return within


def _blocks(values: Floats, block: int) -> Floats:
    """Sums of `(..., h, w)` over squares of `block` pixels; what does not fit is left out at both edges alike."""
    height, width = values.shape[-2:]
    rows, columns = height // block, width // block
    top, left = (height - rows * block) // 2, (width - columns * block) // 2
    cut = values[..., top : top + rows * block, left : left + columns * block]
    sums: Floats = cut.reshape(*values.shape[:-2], rows, block, columns, block).sum(axis=(-3, -1))
    return sums
