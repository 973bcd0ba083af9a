"""Two arms over the same images: the differences, and the sums over the groups that tests and intervals are made of."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.errors import StatisticsError
from evaluation.statistics.intervals import Numbers


@dataclass(frozen=True)
class Pairs:
    """The images that both arms have a value of, in the order given.

    `first` and `second` are `(n,)`, `group` `(n,)` numbers groups in the order in which they come, `sums` and `sizes`
    are `(groups,)`: the sum of second minus first, and the number of images. `left_out` pairs had a NaN.
    """

    first: Numbers
    second: Numbers
    group: NDArray[np.intp]
    sums: Numbers
    sizes: Numbers
    left_out: int

    @property
    def differences(self) -> Numbers:
        """`(n,)`, second minus first."""
        return self.second - self.first

    @property
    def single(self) -> bool:
        """Whether every group is one image."""
        return len(self.sizes) == len(self.first)

    @property
    def right_or_wrong(self) -> bool:
        """Whether all values are 0 or 1."""
        return bool(np.isin(self.first, (0, 1)).all() and np.isin(self.second, (0, 1)).all())

    @property
    def error(self) -> float:
        """Standard error of the mean difference, groups being drawn whole.

        The linearised ratio estimator's: sqrt(G / (G - 1) sum of (S_g - n_g d)^2) / n (Cochran 1977, Sampling
        Techniques, section 9A). NaN where there is one group.
        """
        groups = len(self.sizes)
        if groups < 2:
            return float("nan")
        rest = self.sums - self.sizes * (self.sums.sum() / self.sizes.sum())
        return float(np.sqrt(groups / (groups - 1) * (rest**2).sum()) / self.sizes.sum())

    def can_reject(self, alpha: float) -> bool:
        """Whether enough groups differ that signs which are all alike, 2 of 2^G assignments, are as rare as alpha."""
        return bool(2.0 ** (1 - np.count_nonzero(self.sums)) <= alpha)

    @property
    def reach(self) -> float:
        """The largest difference that an image could have: 1 of right and wrong, else the range of all values."""
        if self.right_or_wrong:
            return 1.0
        return float(max(self.first.max(), self.second.max()) - min(self.first.min(), self.second.min()))


def pair(first: Sequence[float] | Numbers, second: Sequence[float] | Numbers, groups: Sequence[Hashable]) -> Pairs:
    """Raises StatisticsError where lengths differ, a value is infinite, or no pair has both values."""
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if not len(one) == len(two) == len(groups):
        raise StatisticsError(
            f"{len(one)} values, {len(two)} values and {len(groups)} groups cannot be paired: "
            "give one of each for every image, in the same order"
        )
    known = ~(np.isnan(one) | np.isnan(two))
    one, two = one[known], two[known]
    if not known.any():
        raise StatisticsError(f"of {len(known)} images none has a value in both arms: there is nothing to compare")
    if np.isinf(one).any() or np.isinf(two).any():
        raise StatisticsError("a value is infinite: leave it out (NaN), or mend the metric")
    places = {name: place for place, name in enumerate(dict.fromkeys(np.asarray(groups, dtype=object)[known]))}
    group = np.asarray([places[name] for name, here in zip(groups, known, strict=True) if here], dtype=np.intp)
    sums, sizes = over_groups(two - one, group), over_groups(np.ones(len(one)), group)
    return Pairs(one, two, group, sums, sizes, int((~known).sum()))


def over_groups(values: Numbers, group: NDArray[np.intp], groups: int = 0) -> Numbers:
    """The sum over each group, `(groups,)`."""
    return np.bincount(group, weights=values, minlength=groups).astype(np.float64)
