"""What is made of a source: which records, as what task, in which splits."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from batch.inputs.options import are_choice, check_names
from finetune.errors import RecordsError
from indexer.config.files import Where
from indexer.sources import options
from rag.prompts import Task

OURS = (
    "id", "image", "article", "split", "question", "answer", "labels", "text", "kind", "license", "attribution",
)  # fmt: skip
"""What `--field OURS=THEIRS` can name. `text` is put before the question, as of records without images."""

Leaks = Literal["leave_out", "keep"]


@dataclass(frozen=True)
class Options:
    """`fields` are OURS=THEIRS, `where` FIELD=VALUE, as in `batch` and `evaluate`.

    Without `task` the source says it: questions where it has them, else captions. `question`, `labels` and `schema`
    (JSON text) hold for all records. `closed_as_labels` makes a choice between yes and no of each question whose answer
    is one of them. `dev` and `test` are shares of the records; None: 0.1 of what the source has no split for (test only
    where it has no splits at all). `resplit` draws all splits anew. `leaks` says what becomes of train records that are
    of one group with dev or test. `look_alikes` is whether pictures are compared. `most` is how many records are taken.
    Raises RecordsError where these do not go together, ConfigError and InputError for fields written wrongly.
    """

    read_as: str | None = None
    fields: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    task: Task | None = None
    question: str = ""
    labels: tuple[str, ...] = ()
    schema: str | None = None
    closed_as_labels: bool = False
    dev: float | None = None
    test: float | None = None
    resplit: bool = False
    leaks: Leaks = "leave_out"
    look_alikes: bool = True
    license: str = ""
    seed: int = 0
    most: int | None = None

    def __post_init__(self) -> None:
        if self.labels and not are_choice(self.labels):
            raise RecordsError("--label: give two or more answers to choose from, each once, none empty")
        if self.labels and self.task not in (None, "classify"):
            raise RecordsError(f"labels were given, but the task is {self.task}; they go with classify")
        if self.schema is not None and self.task not in (None, "extract"):
            raise RecordsError(f"a schema was given, but the task is {self.task}; it goes with extract")
        if self.closed_as_labels and self.task not in (None, "ask"):
            raise RecordsError(f"--closed-as-labels was given, but the task is {self.task}; it goes with ask")
        if not 0 <= (self.dev or 0) + (self.test or 0) < 1:
            raise RecordsError("--dev and --test: together they must leave something to train on, as 0.1 and 0.1 do")
        _ = self.named, self.allowed

    @property
    def named(self) -> dict[str, str]:
        """Ours -> theirs, as `fields` name them. Raises ConfigError."""
        named = options.pairs("--field", self.fields)
        check_names(named, OURS)
        return named

    @property
    def allowed(self) -> Where:
        """Field -> the values that a record may have there. Raises ConfigError."""
        return options.allowed(self.where)

    def to_json(self) -> dict[str, Any]:
        """What was asked for, by name, without what was left as it is."""
        plain = asdict(Options())
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in asdict(self).items()
            if value != plain[key]
        }
