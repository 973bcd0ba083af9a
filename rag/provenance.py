"""What a description was made with, written down so that it can be made again and compared."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from importlib import metadata
from typing import Any

from configs import ROOT
from imaging import LoadedImage
from rag.config import Settings
from rag.secrets import without_secrets
from rag.types import Run, Speaker
from vlm.config import ModelConfig
from vlm.cost.machine import machine
from vlm.types import Prompt
from vlm.weights import adapter_fingerprint

PACKAGES = (
    "torch", "transformers", "tokenizers", "bitsandbytes", "peft", "llguidance", "openai", "pillow", "numpy", "timm",
    "open-clip-torch", "sentence-transformers", "faiss-cpu", "langchain-core",
)  # fmt: skip
"""Those that a text can depend on; what is not installed is not recorded."""
ROOMS = ("imaging", "indexer", "vlm", "rag")
"""The program's own packages that a text can depend on."""


def run_of(settings: Settings, speaker: Speaker) -> Run:
    """What a pipeline of these settings makes its descriptions with. To be asked once its models are loaded."""
    resolved = without_secrets_in(settings.model_dump(mode="json"))
    return Run(
        settings=resolved,
        settings_sha256=_sha256(resolved),
        model=_precision(speaker.config, settings.model.adapter is not None) if speaker.config else {},
        adapter=None if settings.model.adapter is None else adapter_fingerprint(settings.model.adapter),
        versions=_versions(),
        machine=_device(speaker.config),
    )


def prompt_sha256(prompt: Prompt) -> str:
    """SHA-256 of the messages as they are sent: roles, texts, the pixels of images, and the answer's schema."""
    messages = [
        [m.role, [{"pixels": part.pixels_sha256} if isinstance(part, LoadedImage) else part for part in m.parts]]
        for m in prompt.messages
    ]
    return _sha256([messages, prompt.schema])


def without_secrets_in(value: Any) -> Any:
    """JSON values with the secrets of addresses in their texts taken out."""
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, dict):
        return {key: without_secrets_in(held) for key, held in value.items()}
    return [without_secrets_in(held) for held in value] if isinstance(value, list) else value


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _precision(config: ModelConfig, adapted: bool) -> dict[str, Any]:
    """How the model's files are loaded; how long its prompts may be, which decides what evidence they hold; and the
    temperature of its answers to choose from."""
    said = {
        "prompt_tokens": config.prompt_tokens,
        "label_temperature": config.label_temperature_with(adapted),
    }
    if config.server is not None:
        return said
    import torch

    from vlm.precision import compute_dtype
    from vlm.vision import vision_dtype

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return {
        "quantisation": config.quantisation,
        "dtype": str(compute_dtype(config, device)).removeprefix("torch."),
        "vision_dtype": vision_dtype(config, device),
        **said,
    }


@lru_cache(maxsize=1)
def _versions() -> dict[str, str]:
    found = {"program": f"{metadata.version('lumenscribe')}+{_program()}"}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _program() -> str:
    """8 hex digits of the program's own source, since its version stays the same while it is worked on."""
    digest = hashlib.sha256()
    for file in sorted(file for room in ROOMS for file in (ROOT.parent / room).rglob("*.py")):
        digest.update(f"{file.relative_to(ROOT.parent)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:8]


def _device(config: ModelConfig | None) -> dict[str, Any]:
    if config is not None and config.server is not None:
        return {"device": "server", "cpu": machine()["cpu"]}
    import torch

    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "cpu"
    return {"device": device, "cpu": machine()["cpu"], "threads": torch.get_num_threads()}
