"""INPUT -> items: whatever `batch` is given, as images that workers anywhere can read and what is asked of each.

A new kind: its listing in `files.py`, `tables.py` or `sets.py`, and a line in `kinds.py`.
"""

from batch.inputs.kinds import listing_of
from batch.inputs.listing import Listing, Reading
from batch.inputs.options import InputOptions
from batch.inputs.read import ReadInput, open_input

__all__ = ["InputOptions", "Listing", "ReadInput", "Reading", "listing_of", "open_input"]
