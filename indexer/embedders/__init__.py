"""What turns images and texts into vectors. A new kind: a module, a config model, and a line in `_KINDS`."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import configs
from indexer.embedders.clip import OpenClipEmbedder
from indexer.embedders.config import EmbedderConfig, OpenClipConfig, SentenceTransformersConfig
from indexer.embedders.sentences import SentenceTransformersEmbedder
from indexer.types import Embedder

_KINDS: dict[str, type[OpenClipConfig] | type[SentenceTransformersConfig]] = {
    "open_clip": OpenClipConfig,
    "sentence_transformers": SentenceTransformersConfig,
}


_in_use: WeakValueDictionary[tuple[str, str], Embedder] = WeakValueDictionary()


def read_embedder(name: str) -> tuple[str, EmbedderConfig]:
    """An embedder's short name and configuration: by its name in `configs/embedders/`, or a YAML file's path.

    Raises configs.ConfigError, which names the near name, kind or key.
    """
    path = configs.find("embedders", name)
    return path.stem, parse_embedder(configs.read_yaml(path), path.name)


def parse_embedder(data: Mapping[str, Any], where: str) -> EmbedderConfig:
    """A configuration from its keys; `where` says in errors whose they are. Raises configs.ConfigError."""
    kind = str(data.get("kind"))
    model = _KINDS.get(kind)
    if model is None:
        near = difflib.get_close_matches(kind, list(_KINDS), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise configs.ConfigError(f"{where}: unknown kind {kind!r}{hint} Kinds: {', '.join(_KINDS)}")
    return configs.parse(model, data, where)


def create_embedder(name: str, config: EmbedderConfig) -> Embedder:
    """The embedder of a configuration, its weights not yet loaded; the same one as long as somebody has it.

    So an index and the checks of a description load one model once. Raises EmbedderUnavailableError where its folder or
    package is not there.
    """
    made: Embedder
    match config:
        case OpenClipConfig():
            made = OpenClipEmbedder(name, config)
        case SentenceTransformersConfig():
            made = SentenceTransformersEmbedder(name, config)
    return _in_use.setdefault((made.id, made.fingerprint), made)


def load_embedder(name: str | EmbedderConfig) -> Embedder:
    """The embedder of that name, YAML file or configuration; its weights load at the first embedding.

    Raises configs.ConfigError for an unknown name or key, EmbedderUnavailableError where its files are not there.
    """
    if isinstance(name, str):
        return create_embedder(*read_embedder(name))
    place = name.folder or name.package or name.hub or ""
    return create_embedder(Path(place).name, name)
