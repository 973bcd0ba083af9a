"""Charts as inline SVG: black lines, shapes and dashes, so that they are read in print and without colour.

Each is drawn twice, wide and narrow, for a page shows the one that fits; each says its figures in words as well.
"""

from evaluation.charts.bars import Histogram
from evaluation.charts.curves import Curve, Curves
from evaluation.charts.drawing import NARROW, WIDE, Chart
from evaluation.charts.intervals import Intervals, Mark
from evaluation.charts.spreads import Spread, Spreads

__all__ = [
    "NARROW", "WIDE", "Chart", "Curve", "Curves", "Histogram", "Intervals", "Mark", "Spread", "Spreads",
]  # fmt: skip
