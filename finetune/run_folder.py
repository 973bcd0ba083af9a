"""The folder of a run: what made the run what it is, and whether the same command goes on with it.

FOLDER/finetune.json      what shapes the result: settings, fingerprints of data and model
FOLDER/config.yaml        the configuration, resolved
FOLDER/data.json          where the data is, counts, licences
FOLDER/environment.json   command, versions, machine
FOLDER/checkpoints/       while it runs
FOLDER/curve.csv, .png    losses and figures by step
FOLDER/adapter/           what was learned by the best look; FOLDER/last/ by the last step, where it is another
FOLDER/result.json        figures; written last
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

import configs
from batch.shards import put
from finetune.config import FinetuneConfig
from finetune.errors import FinetuneError

RUNS = Path("runs") / "finetune"
IDENTITY, CONFIG, DATA, ENVIRONMENT = "finetune.json", "config.yaml", "data.json", "environment.json"
RESULT, ADAPTER, LAST, CHECKPOINTS = "result.json", "adapter", "last", "checkpoints"
LOCK = "finetune.lock"
FOUND = ("evidence-*", "lengths-*")
"""What is found before training, for a plan or a run."""
_SHAPES_NOTHING = ("name", "path", "data.folder", "checking.keep", "training.workers", "trackers", "notes")
"""Keys that leave what is learned as it is; what lies in the folders counts by its fingerprint."""


def identity(config: FinetuneConfig, fingerprints: Mapping[str, str], processes: int) -> dict[str, Any]:
    """What shapes the result, under dotted names: the settings, the data and model by `fingerprints`, and how many
    processes share a step."""
    said = configs.flattened(config.model_dump(mode="json"))
    shaping = {key: value for key, value in said.items() if key not in _SHAPES_NOTHING}
    return {**shaping, **fingerprints, "processes": processes}


def default_folder(config: FinetuneConfig, made: Mapping[str, Any]) -> Path:
    """`runs/finetune/NAME-HASH`: another configuration or other data make another run."""
    digest = hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()[:8]
    return RUNS / f"{config.name}-{digest}"


def refuse_another(folder: Path, made: Mapping[str, Any]) -> None:
    """Raises FinetuneError where something was learned in `folder` by another run than `made`, naming what changed."""
    file = folder / IDENTITY
    if not file.is_file():
        if folder.is_dir() and any(path.name != LOCK for path in folder.iterdir()):
            raise FinetuneError(f"--out {folder}: there is something in it that is no fine-tuning run. Give another")
        return
    before = read_json(file)
    changed = [
        f"{key} was {_said(before, key)} and is {_said(made, key)}"
        for key in sorted(before.keys() | made.keys())
        if before.get(key) != made.get(key)
    ]
    if changed and any((folder / name).exists() for name in (CHECKPOINTS, RESULT)):
        more = f", and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise FinetuneError(
            f"--out {folder} holds another run: {'; '.join(changed[:3])}{more}. Give another folder, or none: each run "
            f"then has its own"
        )


def settle(folder: Path, made: Mapping[str, Any]) -> None:
    """Makes `folder` that of the run; what was found there for a plan of another goes."""
    file = folder / IDENTITY
    if file.is_file() and read_json(file) == made:
        return
    for pattern in FOUND:
        for found in folder.glob(pattern):
            found.unlink()
    write_json(file, made)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """While the only one at work in `folder`. Raises FinetuneError where another process is."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / LOCK, timeout=0):
            yield
    except Timeout:
        raise FinetuneError(f"{folder}: another process is at work on this run. Wait for it, or stop it") from None


def read_json(file: Path) -> Any:
    """What a file of a run holds. Raises FinetuneError."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FinetuneError(f"{file} cannot be read: {error}. Remove {file.parent} to begin anew") from error


def write_json(file: Path, value: Any) -> None:
    """Writes a file of a run in one step."""
    put(f"{json.dumps(value, indent=1, ensure_ascii=False)}\n".encode(), file)


def _said(values: Mapping[str, Any], key: str) -> str:
    return json.dumps(values[key], ensure_ascii=False) if key in values else "not there"
