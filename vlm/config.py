"""A model as configs/models/NAME.yaml describes it: where its files are, how to load them, how it is best used."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from configs import ROOT, ConfigError, StrictModel, find, parse, read_yaml
from vlm.errors import UnknownModel
from vlm.families import FAMILIES, Family
from vlm.types import GenerationParams

Dtype = Literal["auto", "bf16", "fp16", "fp32"]
VisionDtype = Literal["model", "bf16"]
Quantisation = Literal["none", "nf4", "int8"]


class GenerationDefaults(StrictModel):
    """How this model is best decoded: GenerationParams, without the seed."""

    max_new_tokens: Annotated[int, Field(ge=1)] = 128
    temperature: Annotated[float, Field(ge=0)] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    repetition_penalty: Annotated[float, Field(gt=0)] = 1.0


class ModelConfig(StrictModel):
    """One model. It has `path`, or `hub_id` with a `revision`; where it has both, `path` is taken."""

    name: str
    family: str
    hub_id: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")] | None = None
    revision: str | None = None
    path: Path | None = None
    """Folder with the model's files; absolute once loaded."""
    dtype: Dtype = "auto"
    """auto: bf16 on a GPU, fp32 on a CPU."""
    vision_dtype: VisionDtype = "model"
    """Arithmetic of the vision tower alone, on hardware that has it; model: as all the rest. Weights stay in dtype."""
    quantisation: Quantisation = "none"
    trust_remote_code: bool = False
    generation: GenerationDefaults = GenerationDefaults()
    prompt_tokens: Annotated[int, Field(ge=16)]
    """Text tokens a prompt may have, images not counted."""
    max_images: Annotated[int, Field(ge=1)] | None = None
    """Images this model was trained to read together, where that is fewer than its family can take."""
    caption_prompt: str
    """Name of the prompt template that suits this model for captions."""
    abstention: tuple[str, ...] = ()
    """Sentences by which this model says that it cannot tell."""
    larger_model: str | None = None
    """The model to name to those who want a better description than this small one gives."""
    license: str
    parameters: Annotated[int, Field(ge=1)]
    """How many weights it has."""
    notes: str = ""

    @field_validator("family")
    @classmethod
    def _known_family(cls, value: str) -> str:
        if value not in FAMILIES:
            near = difflib.get_close_matches(value, FAMILIES, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(FAMILIES)}"
            raise ValueError(f"unknown family {value!r}; {hint}")
        return value

    @model_validator(mode="after")
    def _has_files(self) -> ModelConfig:
        if self.path is None and (self.hub_id is None or self.revision is None):
            raise ValueError("give path, or hub_id and revision")
        return self

    @property
    def images_per_prompt(self) -> int | None:
        """Images a prompt may have: the smaller of the family's bound and the model's own; None is any number."""
        bounds = [bound for bound in (self.max_images, self.how.max_images) if bound is not None]
        return min(bounds, default=None)

    @property
    def how(self) -> Family:
        """The family: how this model takes prompts."""
        return FAMILIES[self.family]

    @property
    def source(self) -> str:
        """Where the files come from, for messages: a folder, or `hub id@revision`."""
        return str(self.path) if self.path is not None else f"{self.hub_id}@{self.revision}"

    @property
    def notice(self) -> str | None:
        """What to tell the user of a small model, in one line; None where there is nothing to say."""
        if self.larger_model is None:
            return None
        return (
            f"{self.name} is a small embedded model ({self.parameters / 1e6:.0f} M parameters) and often wrong in "
            f"detail. For a larger one: --model {self.larger_model}"
        )

    def params(
        self,
        *,
        max_new_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        repetition_penalty: float | None = None,
        seed: int = 0,
    ) -> GenerationParams:
        """This model's generation defaults, with what is given in their place."""
        own = self.generation
        return GenerationParams(
            max_new_tokens=own.max_new_tokens if max_new_tokens is None else max_new_tokens,
            temperature=own.temperature if temperature is None else temperature,
            top_p=own.top_p if top_p is None else top_p,
            repetition_penalty=own.repetition_penalty if repetition_penalty is None else repetition_penalty,
            seed=seed,
        )


def load_model_config(
    name: str,
    *,
    path: Path | None = None,
    quantisation: Quantisation | None = None,
    dtype: Dtype | None = None,
    vision_dtype: VisionDtype | None = None,
) -> ModelConfig:
    """The configuration of a named model, or of a YAML file given by path; what is given replaces its own values.

    A relative `path` of the file is taken from the repository's root (for a file given by path, from its own
    folder), the argument from the working directory. Raises UnknownModel, with the near name, and ConfigError.
    """
    try:
        file = find("models", name)
    except ConfigError as error:
        raise UnknownModel(str(error)) from error
    base = ROOT.parent if file.parent == ROOT / "models" else file.parent.absolute()
    data: dict[str, Any] = {"name": file.stem, **read_yaml(file)}
    if data.get("path") is not None:
        data["path"] = base / str(data["path"])
    given = {
        "path": path and path.absolute(),
        "quantisation": quantisation,
        "dtype": dtype,
        "vision_dtype": vision_dtype,
    }
    data.update({key: value for key, value in given.items() if value is not None})
    return parse(ModelConfig, data, file.name)
