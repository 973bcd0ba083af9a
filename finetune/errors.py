"""What can go wrong with fine-tuning. Every message is one line: what, where, what to do.

FinetuneError
├── RecordsError      a prepared folder, or records that cannot be learned from
│   └── TooLong       a lesson of more tokens than a run takes
├── AdaptError        what is to be trained cannot be, in this model
├── DoesNotFit        the run needs more memory than there is
├── TrainingStopped   the loss is no number or runs away, a disk is full: what was saved goes on
├── MergeError        an adapter that cannot be merged, or a merged model that answers otherwise
└── PushError         the hub refuses
"""

from __future__ import annotations


class FinetuneError(Exception):
    """Base of this room's errors."""


class RecordsError(FinetuneError):
    """No prepared folder, a record that cannot be read, a split with nothing to learn from."""


class TooLong(RecordsError):  # noqa: N818 - the name says what is wrong, as in the rest of the house
    """A lesson of more tokens than `training.max_tokens`, or whose text alone is over the model's `prompt_tokens`.

    Nothing is cut off, image tokens and answers stay whole: `training.too_long` decides.
    """

    @classmethod
    def of(cls, record: str, tokens: int, most: int) -> TooLong:
        """For a lesson of so many tokens."""
        return cls(
            f"record {record}: {tokens} tokens, images and answer counted, and training.max_tokens is {most}. "
            f"Set it higher, or give the record less evidence or a smaller image"
        )


class AdaptError(FinetuneError):
    """Modules to train that the model does not have, a method that its family cannot be tuned by."""


class DoesNotFit(FinetuneError):  # noqa: N818
    """The run needs more memory than the machine has; the message says what would need less."""


class TrainingStopped(FinetuneError):  # noqa: N818
    """The run stopped itself; run it again and it goes on from its last checkpoint, unless the message says not to."""


class MergeError(FinetuneError):
    """The adapter cannot be merged into its base, or the merged model does not answer as the adapter does."""


class PushError(FinetuneError):
    """The hub cannot be reached or refuses what is pushed."""
