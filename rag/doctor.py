"""What this machine can run, and what is missing with the command that mends it."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from configs import ConfigError
from indexer import load_embedder
from indexer.errors import IndexerError
from installed import groups
from rag.starter import IMAGE_EMBEDDER, TEXT_EMBEDDER, cache_folder, starter_folder
from vlm import list_models

State = Literal["ok", "missing", "broken"]
MIN_FREE_GIB = 2


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `missing` is something one can do without; `broken` keeps the default from working."""

    name: str
    state: State
    detail: str
    mend: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def as_text(self) -> str:
        line = f"{self.state:<8} {self.name:<22} {self.detail}"
        return f"{line}\n{'':<32}-> {self.mend}" if self.mend else line


def examine() -> list[Finding]:
    """Looks at everything; loads no model and changes nothing."""
    return [
        _machine(),
        _accelerator(),
        _disk(),
        *_packages(),
        *(_embedder(name) for name in (IMAGE_EMBEDDER, TEXT_EMBEDDER)),
        _starter(),
        *_models(),
    ]


def _machine() -> Finding:
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    detail = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    return Finding("machine", "ok", f"{detail}, {cores} cores, {memory_gib:.0f} GiB memory")


def _accelerator() -> Finding:
    import torch

    if not torch.cuda.is_available():
        if shutil.which("nvidia-smi"):
            detail = f"an NVIDIA driver is here, but torch {torch.__version__} cannot use its GPU"
            mend = (
                "compare `nvidia-smi` with `python -c 'import torch; print(torch.version.cuda)'`, and update the driver"
            )
            return Finding("accelerator", "missing", detail, mend)
        return Finding("accelerator", "missing", "no GPU that torch can use; models run on the CPU")
    properties = torch.cuda.get_device_properties(0)
    return Finding("accelerator", "ok", f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB")


def _disk() -> Finding:
    folder = cache_folder()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free_gib = shutil.disk_usage(existing).free / 2**30
    if not os.access(existing, os.W_OK):
        return Finding("cache", "broken", f"{folder} cannot be written", "export LUMENSCRIBE_CACHE=FOLDER")
    if free_gib < MIN_FREE_GIB:
        return Finding("cache", "broken", f"{folder}: {free_gib:.1f} GiB free", "export LUMENSCRIBE_CACHE=FOLDER")
    return Finding("cache", "ok", f"{folder}, {free_gib:.0f} GiB free")


def _packages() -> Iterator[Finding]:
    """The packages that pyproject.toml names, by extra; those of an extra may be missing."""
    for group in groups():
        name = f"packages [{group.extra}]" if group.extra else "packages"
        if not group.missing:
            yield Finding(name, "ok", f"{len(group.needed)} of {len(group.needed)} installed")
        else:
            state: State = "missing" if group.extra else "broken"
            yield Finding(name, state, f"not installed: {', '.join(group.missing)}", group.mend)


def _embedder(name: str) -> Finding:
    try:
        embedder = load_embedder(name)
    except (IndexerError, ConfigError) as error:
        return Finding(f"embedder {name}", "broken", str(error), "git checkout -- pocket  (or: make install)")
    return Finding(f"embedder {name}", "ok", f"{embedder.dim}-d, fingerprint {embedder.fingerprint[:8]}")


def _starter() -> Finding:
    try:
        folder = starter_folder()
    except (IndexerError, ConfigError) as error:
        return Finding("starter index", "broken", str(error))
    if (folder / "manifest.json").is_file():
        return Finding("starter index", "ok", str(folder))
    return Finding("starter index", "missing", "built at the first caption", "python cli.py index info")


def _models() -> Iterator[Finding]:
    for entry in list_models():
        config = entry.config
        name = f"model {config.name}"
        if config.server is not None:
            yield Finding(name, "ok", f"asks {config.source}; not asked now")
            continue
        size = f"{(config.parameters or 0) / 1e6:,.0f} M parameters, {config.license}"
        if entry.on_this_machine:
            yield Finding(name, "ok", size)
        elif config.path is not None:
            yield Finding(name, "broken", f"{config.path} is missing", "git checkout -- pocket")
        else:
            yield Finding(name, "missing", size, config.get_command)
