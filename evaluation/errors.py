"""What can go wrong when something is measured."""

from __future__ import annotations


class EvaluationError(Exception):
    """Base of this room's errors. Each is one line: what, where, what to do."""


class SetError(EvaluationError):
    """A set of images that cannot be measured on as it is."""


class CalibrationError(EvaluationError):
    """Descriptions from which no calibration can be made."""


class RunError(EvaluationError):
    """A folder that holds no run, one that cannot be read, or one of another configuration."""


class StatisticsError(EvaluationError):
    """Values that cannot be compared as they are."""


class ReportError(EvaluationError):
    """A folder or file that no report can be made of."""


class ExperimentError(EvaluationError):
    """An experiment that cannot be run as it is, or a folder that holds another one."""


class MetricError(EvaluationError):
    """Texts that cannot be scored as they are, or a metric that there is not."""


class MissingMetricError(EvaluationError):
    """A metric that cannot be computed here, and the command that mends it; it is left blank, never replaced."""


class RatingsError(EvaluationError):
    """Ratings that cannot be made, stored, read or counted; of a file, a line for each place that is wrong."""
