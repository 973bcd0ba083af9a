"""Texts in a space of meaning, by any sentence-transformers model in a folder, a package or on the hub."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from imaging import LoadedImage
from imaging.loading import LOADING
from imaging.memory import keep_freed_memory
from indexer.embedders import files
from indexer.embedders.config import SentenceTransformersConfig
from indexer.embedders.tokens import CountsTokens, Measure, read_json, read_tokenizer
from indexer.errors import EmbedderUnavailableError, EmbedderUnsuitableError
from indexer.types import Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_WEIGHTS = "model.safetensors"
_BATCH = {"cuda": 64, "cpu": 8}  # texts are sorted by length, and a small batch pads few of them
_NO_LIMIT = 1 << 30
_WIDTH_KEYS = ("out_features", "embedding_dimension", "word_embedding_dimension")


@dataclass(frozen=True, eq=False)
class TextTokens:
    """A text's unit vector `(dim,)`, its tokens without the special ones, and their unit vectors `(tokens, dim)`."""

    vector: NDArray[np.float32]
    tokens: tuple[str, ...]
    vectors: NDArray[np.float32]


class SentenceTransformersEmbedder(CountsTokens):
    """A sentence-transformers model as an embedder. Nothing heavy is imported or read before the first embedding."""

    def __init__(self, name: str, config: SentenceTransformersConfig) -> None:
        folder = files.local_folder(config, name)
        self.id = f"sentence_transformers:{name}"
        self.fingerprint = files.fingerprint(config, "sentence_transformers", folder)
        self.revision = config.revision or self.fingerprint
        self.dim = _dim(folder, name) if folder is not None else config.dim or 0
        self._name = name
        self._config = config
        self._folder = folder
        self._model: SentenceTransformer | None = None

    def _read_measure(self) -> Measure:
        return _measure(self._folder or files.fetch(self._config, self._name), self._name)

    def embed_images(self, images: Sequence[LoadedImage]) -> NoReturn:
        """Raises EmbedderUnsuitableError: this kind embeds texts."""
        raise EmbedderUnsuitableError(
            f"{self.id} embeds texts, not images ({len(images)} given). Name an open_clip embedder as image_embedder"
        )

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of the texts, float32 `(n, dim)`; the tokenizer cuts a text at the model's length."""
        if not texts:
            return np.empty((0, self.dim), np.float32)
        model = self.load()
        vectors = model.encode(
            list(texts),
            batch_size=_BATCH.get(model.device.type, _BATCH["cpu"]),
            show_progress_bar=False,
            convert_to_numpy=True,
            normalize_embeddings=True,
        )
        return np.asarray(vectors, np.float32)

    def embed_tokens(self, texts: Sequence[str]) -> list[TextTokens]:
        """The texts with the vectors of their tokens in context. Raises EmbedderUnavailableError."""
        if not texts:
            return []
        model = self.load()
        found: Any = model.encode(list(texts), batch_size=32, show_progress_bar=False, output_value=None)
        special = set(model.tokenizer.all_special_ids)
        tokens = []
        for text, each in zip(texts, found, strict=True):
            ids = model.tokenizer(text, truncation=True, max_length=model.max_seq_length)["input_ids"]
            kept = [place for place, number in enumerate(ids) if number not in special]
            vectors = _unit(each["token_embeddings"].float().cpu().numpy()[kept])
            names = tuple(model.tokenizer.convert_ids_to_tokens([ids[place] for place in kept]))
            tokens.append(TextTokens(_unit(each["sentence_embedding"].float().cpu().numpy()), names, vectors))
        return tokens

    def load(self) -> SentenceTransformer:
        """Reads the model now, where that is not done yet; any thread may call. Raises EmbedderUnavailableError."""
        if self._model is None:
            with LOADING:
                if self._model is None:
                    self._model = self._read()
        return self._model

    def _read(self) -> SentenceTransformer:
        folder = self._folder or files.fetch(self._config, self._name)
        files.check_weights(folder / _WEIGHTS, self._config, self._name)
        return self._create(folder)

    def _create(self, folder: Path) -> SentenceTransformer:
        import torch
        from safetensors import SafetensorError

        # It imports peft and that bitsandbytes, which warns that the hub has faster kernels; also in worker processes.
        logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging as noise

        shown = noise.is_progress_bar_enabled()
        noise.disable_progress_bar()
        device = "cuda" if torch.cuda.is_available() else "cpu"
        if device == "cpu":
            keep_freed_memory()
        try:
            return SentenceTransformer(
                str(folder), device=device, local_files_only=True, model_kwargs={"use_safetensors": True}
            ).eval()
        except (OSError, ValueError, RuntimeError, TypeError, KeyError, SafetensorError) as error:
            reason = " ".join(str(error).split())[:300]
            raise EmbedderUnavailableError(
                f"embedder {self._name}: {folder} cannot be loaded by sentence-transformers: {reason}"
            ) from error
        finally:
            if shown:
                noise.enable_progress_bar()


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12), np.float32)


def _dim(folder: Path, name: str) -> int:
    """Width of the vectors: the last module's that has one, as `modules.json` chains them."""
    path = folder / "modules.json"
    width = 0
    try:
        for module in json.loads(path.read_text(encoding="utf-8")):
            settings = folder / module["path"] / "config.json"
            if not module["path"] or not settings.is_file():
                continue
            values = json.loads(settings.read_text(encoding="utf-8"))
            width = next((values[key] for key in _WIDTH_KEYS if key in values), width)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = f"{path} is not a sentence-transformers model: {error}"
        raise EmbedderUnavailableError(f"embedder {name}: {reason}") from error
    if not width:
        raise EmbedderUnavailableError(f"embedder {name}: {path}: no module says how wide the vectors are")
    return int(width)


def _measure(folder: Path, name: str) -> Measure:
    """By the tokenizer of the first module, which reads the texts; its limit is found as sentence-transformers does."""
    place = folder / _first_module(folder, name)
    settings = next((read_json(path) for path in sorted(place.glob("sentence_*_config.json"))), {})
    tokens = read_tokenizer(place, name, lower_case=bool(settings.get("do_lower_case")))
    limits = [settings.get("max_seq_length")]
    if limits == [None]:
        limits = [
            read_json(place / "tokenizer_config.json").get("model_max_length"),
            read_json(place / "config.json").get("max_position_embeddings"),
        ]
    most = int(min((limit for limit in limits if limit), default=_NO_LIMIT))
    prompts = read_json(folder / "config_sentence_transformers.json")
    prompt = (prompts.get("prompts") or {}).get(prompts.get("default_prompt_name")) or ""
    return Measure(tokens.of, most - tokens.special - sum(tokens.of([prompt])))


def _first_module(folder: Path, name: str) -> str:
    path = folder / "modules.json"
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))[0]["path"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        reason = f"{path} is not a sentence-transformers model: {error}"
        raise EmbedderUnavailableError(f"embedder {name}: {reason}") from error
