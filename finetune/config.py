"""A fine-tuning run as configs/finetune/NAME.yaml describes it: model, data, method, evidence, schedule."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

import configs
from configs import StrictModel
from rag.config import Settings, assigned, resolve

Method = Literal["lora", "qlora", "dora", "soft_prompt", "full"]
Share = Annotated[float, Field(ge=0, le=1)]


class LoraConfig(StrictModel):
    """Of lora, qlora and dora: the low-rank matrices (Hu et al., 2021) and where they stand."""

    rank: Annotated[int, Field(ge=1)] = 16
    alpha: Annotated[float, Field(gt=0)] = 32
    """The update is scaled by alpha / rank."""
    dropout: Share = 0.05
    targets: str | None = None
    """A regular expression over full module names; none: the family's, the seven projections of each decoder layer."""


class SoftPromptConfig(StrictModel):
    """Of soft_prompt: vectors before the prompt that are trained alone (Lester et al., 2021)."""

    tokens: Annotated[int, Field(ge=1)] = 20


class EvidenceConfig(StrictModel):
    """How evidence in training prompts differs from that at run time, which `settings.retrieval` describes."""

    dropout: Share = 0.0
    """How likely a prompt is shown without any evidence."""
    distract: Share = 0.0
    """How likely each piece of evidence is that of another record, of another article."""


class TrainingConfig(StrictModel):
    """How long and how fast."""

    epochs: Annotated[float, Field(gt=0)] = 3
    max_steps: Annotated[int, Field(ge=1)] | None = None
    """Steps of the optimiser; in place of epochs."""
    learning_rate: Annotated[float, Field(gt=0)] = 2e-4
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: Share = 0.03
    """The share of steps in which the learning rate rises."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    batch_size: Annotated[int, Field(ge=1)] = 4
    """Records together on one device."""
    accumulation: Annotated[int, Field(ge=1)] = 4
    """Batches before a step of the optimiser."""
    max_tokens: Annotated[int, Field(ge=64)] = 2048
    """Tokens of a prompt with its answer, images counted."""
    too_long: Literal["shorten", "leave_out"] = "shorten"
    """What a longer record becomes: with less evidence, then without, then left out; or left out at once."""
    optimiser: Literal["adamw", "adamw_8bit"] = "adamw"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Of the arithmetic; auto: bf16 on a GPU that has it, fp16 on another, fp32 on a CPU."""
    gradient_checkpointing: bool = True
    workers: Annotated[int, Field(ge=0)] = 0
    """Processes that read images beside training."""
    seed: int = 0


class CheckingConfig(StrictModel):
    """Evaluation during training, checkpoints, and when to stop."""

    every_steps: Annotated[int, Field(ge=1)] = 100
    """Steps between two looks at the dev split, and between two checkpoints."""
    texts: Annotated[int, Field(ge=0)] = 32
    """Dev records that are answered at each look, for metrics of texts."""
    best: Literal["loss", "rouge1", "accuracy"] = "loss"
    """What says which checkpoint is the best one."""
    patience: Annotated[int, Field(ge=1)] | None = None
    """Looks in a row without a better one after which training stops; none: it goes to its end."""
    keep: Annotated[int, Field(ge=1)] = 2
    """Checkpoints kept beside the best one."""
    diverged: Annotated[float, Field(gt=1)] = 4.0
    """A running loss so many times its least so far stops the run, where it is also above what it began with."""


class DataConfig(StrictModel):
    """A folder of `finetune prepare` and the splits that are learned from and looked at."""

    folder: Path
    train: str = "train"
    dev: str = "dev"
    max_records: Annotated[int, Field(ge=1)] | None = None
    """The first so many of the train split."""


class FinetuneConfig(StrictModel):
    """All of a run, resolved. `settings` overlays configs/default.yaml: the prompt and the evidence that training
    prompts have are those of a run with the same settings."""

    name: str
    model: str
    """A name of configs/models/, or a YAML file."""
    path: Path | None = None
    """Folder with the model's files, in place of the one its config names."""
    data: DataConfig
    method: Method = "qlora"
    lora: LoraConfig = LoraConfig()
    soft_prompt: SoftPromptConfig = SoftPromptConfig()
    projector: bool = False
    """Whether the layers between vision tower and language model are trained in full."""
    vision: Literal["frozen", "trained"] = "frozen"
    """Whether the vision tower is trained: by the low-rank matrices too, or in full with method full."""
    evidence: EvidenceConfig = EvidenceConfig()
    training: TrainingConfig = TrainingConfig()
    checking: CheckingConfig = CheckingConfig()
    trackers: tuple[Literal["tensorboard", "trackio", "wandb", "mlflow"], ...] = ()
    settings: dict[str, Any] = Field(default_factory=dict)
    notes: str = ""

    @model_validator(mode="after")
    def _makes_sense(self) -> FinetuneConfig:
        if self.method == "soft_prompt" and (self.projector or self.vision == "trained"):
            raise ValueError("soft_prompt trains its own vectors alone: leave out projector and vision")
        return self

    def resolved_settings(self) -> Settings:
        """Settings of the prompts, as a run has them. Raises ConfigError."""
        return resolve(
            self.settings, described=f"settings of {self.name}", model__name=self.model, model__path=self.path
        )


def load_finetune_config(name: str, assignments: Iterable[str] = ()) -> FinetuneConfig:
    """The configuration of that name or file, with `a.b=value` laid over it. Raises ConfigError."""
    file = configs.find("finetune", name)
    data: dict[str, Any] = {"name": file.stem, **configs.read_yaml(file)}
    data = assigned(FinetuneConfig, data, assignments, "training.epochs=1")
    config = configs.parse(FinetuneConfig, data, file.name)
    config.resolved_settings()  # a wrong key there is told before anything is loaded
    return config
