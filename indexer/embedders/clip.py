"""Images and texts in one space, by any open_clip model in a folder or on the hub."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imaging import LoadedImage
from imaging.loading import LOADING
from imaging.memory import keep_freed_memory
from imaging.trunk import Trunk, trunk_digest
from indexer.embedders import files
from indexer.embedders.clip_tokens import measure_of
from indexer.embedders.config import OpenClipConfig
from indexer.embedders.tokens import CountsTokens, Measure
from indexer.errors import EmbedderUnavailableError
from indexer.types import Vectors

if TYPE_CHECKING:
    import torch

    from indexer.embedders.cores import Cores

_CONFIG = "open_clip_config.json"
# The order in which open_clip itself prefers them.
_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin")
_BATCH = {"cuda": 64, "cpu": 16, "core": 4}  # more at a time is not quicker on a CPU


@dataclass
class _Loaded:
    model: Any
    preprocess: Callable[[Any], torch.Tensor]
    device: str
    cores: Cores | None

    def encode(self, images: Sequence[LoadedImage], trunk: str | None = None) -> Vectors:
        """Unit vectors of one batch. With `trunk` its features stay with the images, under that name."""
        import torch

        with torch.inference_mode():
            pixels = torch.stack([self.preprocess(image.picture) for image in images]).to(self.device)
            if trunk is None:
                vectors = self.model.encode_image(pixels, normalize=True)
            else:
                tower = self.model.visual
                features = tower.trunk.forward_features(pixels)
                for image, own in zip(images, features, strict=True):
                    image.features[trunk] = own
                vectors = torch.nn.functional.normalize(tower.head(tower.trunk.forward_head(features)), dim=-1)
            found: Vectors = vectors.float().cpu().numpy()
        return found


class OpenClipEmbedder(CountsTokens):
    """An open_clip model as an embedder. Nothing heavy is imported or read before the first embedding."""

    def __init__(self, name: str, config: OpenClipConfig) -> None:
        folder = files.local_folder(config, name)
        self.id = f"open_clip:{name}"
        self.fingerprint = files.fingerprint(config, "open_clip", folder)
        self.revision = config.revision or self.fingerprint
        self.dim = _dim(folder, name) if folder is not None else config.dim or 0
        self._name = name
        self._config = config
        self._folder = folder
        self._loaded: _Loaded | None = None
        self._tokenizer: Callable[[list[str]], torch.Tensor] | None = None

    def _read_measure(self) -> Measure:
        return measure_of(self._tokenize())

    def embed_images(self, images: Sequence[LoadedImage], keep: bool = False) -> Vectors:
        """Unit vectors of the images, float32 `(n, dim)`. Raises EmbedderUnavailableError at the first use.

        With `keep` images keep in their `features` what the trunk has read of them, for a generator with the same.
        """
        loaded = self.load()
        encode = partial(loaded.encode, trunk=self.trunk if keep else None)
        if loaded.cores is not None and len(images) > loaded.cores.count:
            size = min(_BATCH["core"], -(-len(images) // loaded.cores.count))
            return self._joined(loaded.cores.map(encode, images, size))
        size = _BATCH[loaded.device]
        return self._joined([encode(images[start : start + size]) for start in range(0, len(images), size)])

    @cached_property
    def trunk(self) -> str | None:
        """The digest of what reads pixels; None where that is no timm model of the plain kind (`imaging.trunk`), or
        its files are not at hand. Reads the files."""
        return None if self._folder is None else _trunk(self._folder)

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of the texts in the images' space, float32 `(n, dim)`; the tokenizer cuts long texts."""
        import torch

        loaded, tokenize = self.load(), self._tokenize()
        parts: list[Vectors] = []
        with torch.inference_mode():
            size = _BATCH[loaded.device]
            for start in range(0, len(texts), size):
                tokens = tokenize(list(texts[start : start + size])).to(loaded.device)
                parts.append(loaded.model.encode_text(tokens, normalize=True).float().cpu().numpy())
        return self._joined(parts)

    def _tokenize(self) -> Callable[[list[str]], torch.Tensor]:
        """The tokenizer, read now where it is not yet; no weights are."""
        if self._tokenizer is None:
            import open_clip  # type: ignore[import-untyped]

            folder = self._files()
            try:
                self._tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
            except (OSError, ValueError, TypeError, KeyError) as error:
                reason = " ".join(str(error).split())[:300]
                raise EmbedderUnavailableError(
                    f"embedder {self._name}: {folder} has no tokenizer that open_clip can read: {reason}"
                ) from error
        return self._tokenizer

    def _joined(self, parts: list[Vectors]) -> Vectors:
        return np.concatenate(parts) if parts else np.empty((0, self.dim), np.float32)

    def load(self) -> _Loaded:
        """Reads the model now, where that is not done yet; any thread may call. Raises EmbedderUnavailableError."""
        if self._loaded is None:
            with LOADING:
                if self._loaded is None:
                    self._loaded = self._read()
        return self._loaded

    def _read(self) -> _Loaded:
        folder = self._files()
        weights = next((folder / name for name in _WEIGHTS if (folder / name).is_file()), folder / _WEIGHTS[0])
        files.check_weights(weights, self._config, self._name)
        return self._create(folder)

    def _files(self) -> Path:
        pinned_pickle = _WEIGHTS[-1:] if self._config.weights_sha256 else ()
        return self._folder or files.fetch(self._config, self._name, pinned_pickle)

    def _create(self, folder: Path) -> _Loaded:
        import open_clip
        import torch
        from PIL import Image
        from safetensors import SafetensorError

        from indexer.embedders.cores import Cores
        from indexer.embedders.folding import fold_batch_norms

        device = "cuda" if torch.cuda.is_available() else "cpu"
        if device == "cpu":
            keep_freed_memory()
        try:
            model, preprocess = open_clip.create_model_from_pretrained(
                f"local-dir:{folder}", device=device, **self._text_tower(folder)
            )
        except (OSError, ValueError, RuntimeError, TypeError, KeyError, SafetensorError) as error:
            reason = " ".join(str(error).split())[:300]
            raise EmbedderUnavailableError(
                f"embedder {self._name}: {folder} cannot be loaded by open_clip: {reason}"
            ) from error
        fold_batch_norms(model.eval().visual, preprocess(Image.new("RGB", (8, 8)))[None].to(device))
        # Channels last: convolutions on a CPU take 0.6 of the time; vectors move by less than 1e-6.
        cores = Cores() if device == "cpu" else None
        return _Loaded(model.to(memory_format=torch.channels_last), preprocess, device, cores)

    def _text_tower(self, folder: Path) -> dict[str, Any]:
        """The text tower's configuration with its repository replaced by a pinned copy of it, if one is named."""
        hub, revision = self._config.text_hub, self._config.text_revision
        if hub is None or revision is None:
            return {}
        copy = files.fetch_revision(hub, revision, self._name, ("config.json",))
        text = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))["model_cfg"]["text_cfg"]
        return {"text_cfg": {**text, "hf_model_name": str(copy), "hf_model_pretrained": False}}


def _trunk(folder: Path) -> str | None:
    """The digest of the trunk of an open_clip model: one that is pooled plainly, so that its map is all it gives."""
    try:
        told = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
        vision, shown = told["model_cfg"]["vision_cfg"], told["preprocess_cfg"]
        plain = vision["timm_pool"] == "avg" and vision["timm_proj"] == "linear"
        squashed = (shown["interpolation"], shown["resize_mode"]) == ("bicubic", "squash")
        trunk = Trunk(vision["timm_model_name"], vision["image_size"], tuple(shown["mean"]), tuple(shown["std"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return trunk_digest(trunk, folder / _WEIGHTS[0], "visual.trunk.") if plain and squashed else None


def _dim(folder: Path, name: str) -> int:
    path = folder / _CONFIG
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))["model_cfg"]["embed_dim"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EmbedderUnavailableError(f"embedder {name}: {path} is not an open_clip configuration: {error}") from error
