"""Fetching a model on request: licence first, then its files at the pinned revision. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from vlm.config import ModelConfig, load_model_config
from vlm.errors import ModelNotFound
from vlm.weights import find_files, on_disk


@dataclass(frozen=True)
class PlannedPull:
    """A model to be fetched, and whether it is here already."""

    config: ModelConfig
    here: bool

    def notice(self) -> str:
        """The licence, where the files come from, and about how many they are."""
        config = self.config
        if self.here:
            return f"{config.name} ({config.license}) is on this machine already."
        size = (config.parameters or 0) * 2 / 1e9
        return f"{config.name}: licence {config.license}; {config.source}; about {size:.1f} GB where stored in 16 bits."

    def fetch(self) -> str:
        """Fetches what is missing, with progress on stderr; the folder. Raises ModelNotFound and HubUnreachable."""
        return str(find_files(self.config))


def plan(name: str) -> PlannedPull:
    """What pulling the named model would fetch. Raises UnknownModel, and ModelNotFound where there is nothing to."""
    config = load_model_config(name)
    if config.server is not None:
        raise ModelNotFound(
            f"model {config.name} is a server's and has no files. Take a model of python cli.py models list"
        )
    here = on_disk(config) is not None
    if config.revision is None and not here:
        find_files(config)  # says why there is nothing to fetch
    return PlannedPull(config, here)
