"""What was written, held against the evidence it was written from, and against itself.

`Checker.check` reads: sentences, what each rests on, where they differ from evidence or each other, what was copied.
"""

from rag.check.checker import Checker
from rag.check.sentences import split_sentences

__all__ = ["Checker", "split_sentences"]
