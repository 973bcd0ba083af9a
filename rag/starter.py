"""The index of the first minute: built at first use from rendered images and images that packages carry."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from configs import ROOT, parse
from indexer import build_index, load_embedder
from indexer.config import IndexConfig
from indexer.manifest import SCHEMA

Tell = Callable[[str], None]
STARTER = "starter"
IMAGE_EMBEDDER, TEXT_EMBEDDER = "pocket-clip", "minilm"
RECIPE = ("starter.py", "facts.py", "render*.py")
"""Files of `pocket` that decide what is in the starter set."""


def cache_folder() -> Path:
    """Where what can be made again is kept: $LUMENSCRIBE_CACHE, or ~/.cache/lumenscribe."""
    return Path(os.environ.get("LUMENSCRIBE_CACHE") or Path.home() / ".cache" / "lumenscribe")


def index_folder(name: str | None, tell: Tell) -> Path:
    """The folder that `--index` names; for `starter` or nothing, the starter index, built at first use."""
    return starter_index(tell) if name in (None, STARTER) else Path(name)


def starter_folder() -> Path:
    """Where the starter index of this recipe and these embedders is, or will be."""
    return cache_folder() / f"starter-{_version()}" / "index"


def starter_index(tell: Tell) -> Path:
    """The folder of the starter index, built first where this recipe and these embedders have none yet."""
    index = starter_folder()
    files = index.parent / "files"
    if not (index / "manifest.json").is_file():
        from pocket.starter import write_starter

        tell(f"building the starter index, once (in {_from_home(index.parent)})")
        write_starter(files)
        build_index(parse(IndexConfig, _config(files, index), "starter index"))
    return index


def _config(files: Path, out: Path) -> dict[str, Any]:
    return {
        "out": str(out),
        "image_embedder": IMAGE_EMBEDDER,
        "text_embedder": TEXT_EMBEDDER,
        "sources": [
            {
                "kind": "folder",
                "path": str(files),
                "records": "records.jsonl",
                "source": "starter",
                "fields": {key: key for key in ("id", "image", "caption", "article", "license", "attribution")},
            },
            {
                "kind": "jsonl",
                "path": str(files / "passages.jsonl"),
                "source": "starter",
                "fields": {key: key for key in ("id", "title", "text", "license")},
            },
        ],
    }


def _from_home(path: Path) -> Path:
    return Path("~") / path.relative_to(Path.home()) if path.is_relative_to(Path.home()) else path


def _version() -> str:
    digest = hashlib.sha256(f"schema {SCHEMA}".encode())
    for file in sorted(path for pattern in RECIPE for path in (ROOT.parent / "pocket").glob(pattern)):
        digest.update(file.read_bytes())
    for name in (IMAGE_EMBEDDER, TEXT_EMBEDDER):
        digest.update(load_embedder(name).fingerprint.encode())
    return digest.hexdigest()[:12]
