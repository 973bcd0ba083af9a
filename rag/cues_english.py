"""What gives away a text that speaks to the model that reads it: cues, each with a weight, in families.

Two neighbouring sentences are told by the sum over families of the heaviest cue in each: one open order ("ignore the
image") is enough, a word that ordinary prose has as well ("system:", "you should") counts only beside others. Patterns
are matched on text that `rag.disguises` has folded: small letters, no accents, no invisible characters.
"""

from __future__ import annotations

from rag.cues_orders import ORDERS
from rag.cues_readers import READERS

ENGLISH = (*ORDERS, *READERS)
