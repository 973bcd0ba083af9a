"""Which model embeds: the YAML of `configs/embedders/`, as types."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

import configs


class WeightsConfig(configs.StrictModel):
    """Where an embedder's files are: one of a folder, an installed package, or a hub repository.

    `folder` is relative to the project's root; `subfolder` is inside the package. `revision` (a commit) and
    `dim` (of the vectors) go with `hub`: both must be known before anything is fetched. With `weights_sha256`
    the weights file is checked before it is loaded; weights that are not safetensors are loaded only so.
    """

    folder: str | None = None
    package: str | None = None
    subfolder: str = "."
    hub: str | None = None
    revision: str | None = Field(default=None, pattern="^[0-9a-f]{40}$")
    dim: int | None = Field(default=None, ge=1)
    weights_sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")

    @model_validator(mode="after")
    def _one_place(self) -> WeightsConfig:
        if sum(place is not None for place in (self.folder, self.package, self.hub)) != 1:
            raise ValueError("say where the model is: one of folder, package, hub")
        if self.hub is not None and (self.revision is None or self.dim is None):
            raise ValueError("hub needs a revision (the commit's 40 hex digits) and dim")
        return self


class OpenClipConfig(WeightsConfig):
    """An open_clip model: images and texts in one space.

    `text_hub` and `text_revision` pin the repository that a Hugging Face text tower reads its configuration from.
    It computes in float32 alone: in bfloat16 pocket-clip finds another nearest neighbour for 6 % of MedPix's dev
    images. `near_duplicate` is the cosine similarity from which on two images are taken for the same one; without it
    none are.
    """

    kind: Literal["open_clip"]
    text_hub: str | None = None
    text_revision: str | None = Field(default=None, pattern="^[0-9a-f]{40}$")
    near_duplicate: float | None = Field(default=None, gt=0, le=1)


class SentenceTransformersConfig(WeightsConfig):
    """A sentence-transformers model: texts only."""

    kind: Literal["sentence_transformers"]


EmbedderConfig = OpenClipConfig | SentenceTransformersConfig
