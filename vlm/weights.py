"""Finds a model's files: a folder, the hub's cache on this machine, or the hub. Knows nothing of what is in them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from vlm.config import ModelConfig
from vlm.errors import HubUnreachable, ModelNotFound, one_line

HUB_TIMEOUT_S = 5.0
"""How long the hub may take to answer before it counts as unreachable."""

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
"""An adapter's files, as peft names them."""

_PATTERNS = ["*.json", "*.jinja", "*.txt", "*.model", "*.safetensors"]
_SAMPLE_BYTES = 1 << 16
_SAMPLES = 64


def find_files(config: ModelConfig) -> Path:
    """The folder with the model's files, downloaded at its pinned revision where it is not on this machine yet.

    Raises ModelNotFound, also where no revision is pinned, and HubUnreachable within seconds where there is no network.
    """
    if config.path is not None:
        missing = _missing(config.path)
        if missing:
            raise ModelNotFound(
                f"model {config.name}: {config.path} has no {missing}. Put the model's files there, or name their "
                f"folder with --set model.path=FOLDER"
            )
        return config.path
    if config.revision is None:
        raise ModelNotFound(
            f"model {config.name}: no revision of {config.hub_id} is pinned, so nothing of it is fetched. Fetch it "
            f"yourself (hf download {config.hub_id} --local-dir FOLDER), look at what came, and name the folder: "
            f"--set model.path=FOLDER"
        )
    cached = on_disk(config)
    return cached if cached is not None else _download(config)


def on_disk(config: ModelConfig) -> Path | None:
    """The folder with the model's files where this machine has them all, else None. Asks no network."""
    if config.server is not None:
        return None
    if config.path is not None:
        return None if _missing(config.path) else config.path
    if config.revision is None:
        return None
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(str(config.hub_id), revision=config.revision, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    return None if _missing(folder) else folder


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a model's folder, in order of name."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
        return [folder / name for name in sorted(set(shards))]
    return [folder / "model.safetensors"]


def fingerprint(folder: Path) -> str:
    """12 hex digits that change when the model does.

    SHA-256 over config.json, tokenizer.json and, of each weight file, its size and 64 evenly spaced samples of 64 KiB:
    all of a small model, and a few MB of a large one, so that it is quick for both.
    """
    return _sampled([folder / "config.json", folder / "tokenizer.json", *weight_files(folder)])


def adapter_folder(given: Path) -> Path:
    """The folder with what was trained, an adapter or a whole model: `given`, or `adapter` in it where `given` is the
    folder of a training run."""
    within = given / "adapter"
    return within if not _is_trained(given) and _is_trained(within) else given


def _is_trained(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (ADAPTER_CONFIG, "config.json"))


def adapter_fingerprint(given: Path) -> str:
    """12 hex digits that change when the adapter in a folder does, or in that of a run; made as those of a model."""
    folder = adapter_folder(given)
    return _sampled([folder / ADAPTER_CONFIG, folder / ADAPTER_WEIGHTS])


def _sampled(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        size = path.stat().st_size
        digest.update(f"{path.name}:{size}:".encode())
        step = max(_SAMPLE_BYTES, size // _SAMPLES)
        with path.open("rb") as file:
            for offset in range(0, size, step):
                file.seek(offset)
                digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()[:12]


def _missing(folder: Path) -> str | None:
    """The first file a model cannot do without that `folder` lacks."""
    if not folder.is_dir():
        return "such folder"
    for name in ("config.json", "tokenizer.json"):
        if not (folder / name).is_file():
            return name
    return next((path.name for path in weight_files(folder) if not path.is_file()), None)


def _hub_answers() -> bool:
    """Whether the hub answers one short request. The client's own requests are repeated for a minute and more."""
    from huggingface_hub import constants, get_session
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # of whichever library it is built on

    try:
        get_session().head(constants.ENDPOINT, timeout=HUB_TIMEOUT_S)
    except (HTTPError, OSError):
        return False
    return True


def _download(config: ModelConfig) -> Path:
    where = f"model {config.name}: {config.source}"
    if not _hub_answers():
        raise HubUnreachable(
            f"{where} is not on this machine and the hub cannot be reached. Put the files in a folder and pass "
            f"--set model.path=FOLDER, or take the embedded model: --model pocket"
        )
    folder = _fetch(config, where)
    missing = _missing(folder)
    if missing:
        raise ModelNotFound(f"{where} has no {missing}, and only safetensors are loaded. Take another revision")
    return folder


def _fetch(config: ModelConfig, where: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (  # type: ignore[attr-defined]  # HTTPError: of whichever library it is built on
        GatedRepoError,
        HTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        return Path(snapshot_download(str(config.hub_id), revision=config.revision, allow_patterns=_PATTERNS))
    except GatedRepoError as error:
        raise ModelNotFound(
            f"{where} needs its licence accepted at https://huggingface.co/{config.hub_id}; then run: hf auth login"
        ) from error
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise ModelNotFound(f"{where} is not on the hub. Correct hub_id and revision in its configuration") from error
    except (HTTPError, OSError) as error:
        raise HubUnreachable(
            f"{where} could not be fetched whole ({one_line(error)}). Run it again and the download goes on"
        ) from error
