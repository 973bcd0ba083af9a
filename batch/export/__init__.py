"""The descriptions of a run in the forms that others read: a challenge's file, tables, records, a hub data set."""

from batch.export.formats import FORMATS, export
from batch.export.imageclef import write_submission
from batch.export.types import Exported, Format

__all__ = ["FORMATS", "Exported", "Format", "export", "write_submission"]
