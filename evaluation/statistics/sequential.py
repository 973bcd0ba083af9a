"""Looking at an experiment while it runs, as often as one likes, and stopping it when the verdict is there.

Groups come one after the other, whole, in an order that has nothing to do with what is said of them (`shuffled`).
Every claim has an e-process: a wager against its opposite whose worth, if the opposite is true, is ever above 1 / alpha
with a probability of at most alpha (Ville 1939; Ramdas, Grunwald, Vovk and Shafer 2023). So alpha holds at any time.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.errors import StatisticsError
from evaluation.statistics.intervals import Estimate, Numbers
from evaluation.statistics.pairs import Pairs, pair
from evaluation.statistics.verdicts import ALPHA, Judged, checked, judged, judged_together, others_than

START = 10
"""Groups that must differ before the first look; their magnitudes, not their signs, set the scale of the wager."""
STAKE = 0.9
"""The largest share of its worth that a wager may lose on one group."""


@dataclass(frozen=True)
class Look(Judged):
    """Judged after the groups so far, of `planned` groups; the experiment may stop once there is a verdict.

    `difference` has the ends of a confidence sequence: with a probability of 1 - alpha it holds the truth at every
    look. `p` is always-valid, the inverse of the most that the wager was ever worth, and `p_equivalent` likewise.
    """

    planned: int

    @property
    def stop(self) -> bool:
        """Whether there is a verdict."""
        return self.verdict != "inconclusive"


def look(
    first: Sequence[float] | Numbers,
    second: Sequence[float] | Numbers,
    groups: Sequence[Hashable],
    *,
    planned: int,
    margin: float | None = None,
    alpha: float = ALPHA,
    reach: float = 1.0,
    lower_is_better: bool = False,
) -> Look:
    """The images so far, `(n,)` each, in the order in which they were described; groups are whole and stay together.

    `planned` is how many groups there would be in the end: the wager is sharpest there and holds everywhere. `reach` is
    the largest difference that one image can have: 1 for scores from 0 to 1, 4 for ratings from 1 to 5. Raises
    StatisticsError as `compare` does, where a group comes again after another, and where a difference is above reach.
    """
    checked(margin, alpha)
    pairs = pair(first, second, groups)
    _in_order(pairs, groups)
    if planned < len(pairs.sizes):
        raise StatisticsError(f"{len(pairs.sizes)} groups were seen and {planned} were planned: plan for all of them")
    most = np.abs(pairs.differences).max()
    if most > reach:
        raise StatisticsError(f"an image differs by {most:.4g}, reach is {reach}: give the most that one can differ by")
    sums = pairs.sums[:, None]
    within = None if margin is None else equivalence_evidence(sums, pairs.sizes, reach, margin)[-1, 0]
    return judged(
        Look(
            difference=Estimate(float(pairs.sums.sum() / pairs.sizes.sum()), *_ends(pairs, planned, alpha)),
            p=float(np.exp(-max(0.0, evidence(sums, planned, alpha).max()))),
            p_adjusted=None,
            margin=margin,
            p_equivalent=None if within is None else float(np.exp(-max(0.0, within))),
            n=len(pairs.first),
            groups=len(pairs.sizes),
            planned=planned,
            alpha=alpha,
            lower_is_better=lower_is_better,
            verdict="inconclusive",
        )
    )


def look_all(
    arms: Mapping[str, Sequence[float] | Numbers],
    baseline: str,
    groups: Sequence[Hashable],
    *,
    planned: int,
    margin: float | None = None,
    alpha: float = ALPHA,
    reach: float = 1.0,
    lower_is_better: bool = False,
) -> dict[str, Look]:
    """Every arm against the baseline, by name, Holm-adjusted: always-valid p stay so (Johari et al. 2022)."""
    names = others_than(baseline, arms)
    return judged_together(
        {
            name: look(
                arms[baseline], arms[name], groups,
                planned=planned, margin=margin, alpha=alpha, reach=reach, lower_is_better=lower_is_better,
            )
            for name in names
        }
    )  # fmt: skip


def shuffled(groups: Sequence[Hashable], seed: int) -> list[int]:
    """The places of the images in an order for `look`: groups in random order, the images of each together."""
    names = list(dict.fromkeys(groups))
    rank = {names[place]: n for n, place in enumerate(np.random.default_rng(seed).permutation(len(names)))}
    return sorted(range(len(groups)), key=lambda place: rank[groups[place]])


def evidence(sums: Numbers, planned: int, alpha: float) -> Numbers:
    """log e `(groups, m)` after each group, against "no difference", of m experiments with sums `(groups, m)`.

    For groups' sums x that are as likely as -x, exp(l sum x - l^2 sum x^2 / 2) is a supermartingale at every l (de la
    Pena 1999), so its mean over normal l with variance 1 / r is one: sqrt(r / (r + V)) exp(S^2 / 2 (r + V)), S = sum x,
    V = sum x^2. Exact for exchangeable arms at any number of groups; where only the means are equal it is, in large
    samples, the asymptotic confidence sequence of Waudby-Smith et al. (2024), whose r for the planned number this is.
    """
    total, energy = sums.cumsum(axis=0), (sums**2).cumsum(axis=0)
    differing = (sums != 0).cumsum(axis=0)
    started = differing >= START
    first = started.argmax(axis=0)
    log_alpha = -2 * np.log(alpha)
    scale = energy[first, np.arange(sums.shape[1])] / (first + 1)
    r = np.where(scale > 0, scale, 1.0) * planned / (log_alpha + np.log(log_alpha) + 1)
    return np.asarray(np.where(started, np.log(r / (r + energy)) / 2 + total**2 / (2 * (r + energy)), 0.0))


def equivalence_evidence(sums: Numbers, sizes: Numbers, reach: float, margin: float) -> Numbers:
    """log e `(groups, m)`, the most so far, that the difference is within the margin: the lesser of its two sides.

    A capital is wagered, group by group, on the margin times size being above the sum (Waudby-Smith and Ramdas 2024,
    Estimating means of bounded random variables by betting); it needs nothing but that no image differs by more than
    `reach`. The stake is what would be best if the arms were equal, by the spread of the groups before.
    """
    seen = np.arange(1, len(sums) + 1)[:, None]
    before = np.vstack([np.zeros(sums.shape[1]), (sums**2).cumsum(axis=0)[:-1]])
    size, largest = sizes.cumsum()[:, None] / seen, np.maximum.accumulate(sizes)[:, None]
    gain, spread = margin * size, ((size * reach) ** 2 / 4 + before) / seen
    stake = np.minimum(gain / (spread + gain**2), STAKE / (largest * max(reach - margin, margin)))
    sides = [np.log1p(stake * (margin * sizes[:, None] - way * sums)).cumsum(axis=0) for way in (1, -1)]
    return np.asarray(np.minimum(*(np.maximum.accumulate(side, axis=0) for side in sides)))


def _ends(pairs: Pairs, planned: int, alpha: float) -> tuple[float | None, float | None]:
    """The differences that the wagers up to here do not refute; None where there is no end yet."""
    middle = pairs.sums.sum() / pairs.sizes.sum()

    def refuted(difference: float) -> bool:
        rest = (pairs.sums - pairs.sizes * difference)[:, None]
        return bool(evidence(rest, planned, alpha)[-1, 0] >= -np.log(alpha))

    def end(way: int) -> float | None:
        inside, step = 0.0, pairs.error
        if not step > 0:
            return None
        while not refuted(middle + way * step):
            inside, step = step, 2 * step
            if step > 1e6 * pairs.error:
                return None
        for _ in range(40):
            half = (inside + step) / 2
            inside, step = (inside, half) if refuted(middle + way * half) else (half, step)
        return float(middle + way * step)

    return end(-1), end(1)


def _in_order(pairs: Pairs, groups: Sequence[Hashable]) -> None:
    back = np.flatnonzero(np.diff(pairs.group) < 0)
    if len(back):
        name = list(dict.fromkeys(groups))[pairs.group[back[0] + 1]]
        raise StatisticsError(f"images of group {name!r} come again after another group: order them by `shuffled`")
