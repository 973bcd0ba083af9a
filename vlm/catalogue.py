"""What models there are."""

from __future__ import annotations

from dataclasses import dataclass

from configs import names
from vlm.config import ModelConfig, load_model_config
from vlm.weights import on_disk


@dataclass(frozen=True)
class ModelEntry:
    """A configured model, and whether its files are on this machine."""

    config: ModelConfig
    on_this_machine: bool


def list_models() -> list[ModelEntry]:
    """The models of configs/models/, by name. Asks no network. Raises ConfigError where one of the files is wrong."""
    configs = [load_model_config(name) for name in names("models")]
    return [ModelEntry(config, on_disk(config) is not None) for config in configs]
