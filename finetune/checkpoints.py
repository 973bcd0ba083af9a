"""Checkpoints of a run: a folder a step, whole or not there. Knows nothing of what a model is or of what trained it.

Written beside its name and given it in one step once everything is on the disk, with the size of each file; so what a
killed process leaves, or a disk that was full, is never taken for one.
"""

from __future__ import annotations

import errno
import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from finetune.errors import TrainingStopped
from indexer.manifest import sync_folder
from vlm.errors import one_line

SIZES = "files.json"
TRAINED = "trained.safetensors"
_NAME = re.compile(r"checkpoint-(\d+)")
_UNFINISHED, _LEAVING = ".writing-", ".leaving-"
_WRITING = (OSError, RuntimeError, SafetensorError)
"""What a full disk raises, by who writes: Python, torch.save, safetensors."""
NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
_LITTLE = 2**20
"""Bytes free below which a disk counts as full, where the error does not say so."""


def checkpoint(folder: Path, step: int) -> Path:
    """Where the checkpoint after so many steps of the optimiser is."""
    return folder / f"checkpoint-{step}"


def step_of(checkpoint: Path) -> int:
    """The steps behind a checkpoint, by its name."""
    match = _NAME.fullmatch(checkpoint.name)
    if match is None:
        raise ValueError(f"{checkpoint} is no checkpoint's folder")
    return int(match[1])


def whole(folder: Path) -> list[Path]:
    """The checkpoints in a folder of which no file is missing or cut short, by their steps."""
    found = [path for path in folder.glob("checkpoint-*") if _NAME.fullmatch(path.name) and _is_whole(path)]
    return sorted(found, key=step_of)


def last(folder: Path) -> Path | None:
    """The one to go on from; None where there is none."""
    return max(whole(folder), key=step_of, default=None)


def sweep(folder: Path) -> None:
    """Removes what a process that was killed left of checkpoints it was writing or removing."""
    for path in (*folder.glob(f"{_UNFINISHED}*"), *folder.glob(f"{_LEAVING}*")):
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def written(final: Path, first: bool = True, together: Callable[[], None] = lambda: None) -> Iterator[Path]:
    """A folder to write a checkpoint into; it is `final` once everything is written.

    Of several processes the `first` makes, checks and renames it; `together` waits until all have come this far.
    Raises TrainingStopped where the disk takes no more; nothing is left of the checkpoint then.
    """
    part = final.parent / f"{_UNFINISHED}{final.name}"
    try:
        if first:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
        together()
        yield part
        together()
        if first:
            _seal(part)
            shutil.rmtree(final, ignore_errors=True)
            part.rename(final)
            sync_folder(final.parent)
        together()
    except _WRITING as error:
        shutil.rmtree(part, ignore_errors=True)
        raise TrainingStopped(
            f"the checkpoint at step {step_of(final)} cannot be written to {final.parent}: {why(final.parent, error)}."
            f" Run the same command again once it can: it goes on from the checkpoint before"
        ) from error


def prune(folder: Path, keep: int, best: int | None) -> None:
    """Removes all checkpoints but the last `keep` and that of step `best`."""
    for old in whole(folder)[:-keep]:
        if step_of(old) != best:
            leaving = folder / f"{_LEAVING}{old.name}"
            old.rename(leaving)  # in one step: what is half removed has no checkpoint's name
            shutil.rmtree(leaving, ignore_errors=True)


def trained_tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    """What training changes, by name."""
    return {name: parameter.detach() for name, parameter in model.named_parameters() if parameter.requires_grad}


def save_trained(model: nn.Module, folder: Path) -> None:
    """Writes what training changed, as it is in memory: bit for bit."""
    tensors = {name: tensor.cpu().contiguous() for name, tensor in trained_tensors(model).items()}
    save_file(tensors, folder / TRAINED)


def load_trained(model: nn.Module, checkpoint: Path) -> None:
    """Puts what a checkpoint holds into a model that is trained alike. Raises TrainingStopped where it is another's."""
    file = checkpoint / TRAINED
    try:
        stored = load_file(file)
    except (OSError, SafetensorError) as error:
        raise TrainingStopped(f"{file} cannot be read: {one_line(error)}. Remove {checkpoint} and run again") from error
    tensors = trained_tensors(model)
    odd = sorted(tensors.keys() ^ stored.keys())
    odd += sorted(name for name in tensors.keys() & stored.keys() if tensors[name].shape != stored[name].shape)
    if odd:
        raise TrainingStopped(
            f"{file} holds other tensors than are trained, the first of {len(odd)}: {odd[0]}. It is another program's "
            f"or version's: remove {checkpoint.parent} to begin anew"
        )
    with torch.no_grad():
        for name, tensor in tensors.items():
            tensor.copy_(stored[name])


def why(folder: Path, error: BaseException) -> str:
    """Why a folder could not be written, in a few words."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    full = getattr(error, "errno", None) in NO_ROOM or shutil.disk_usage(there).free < _LITTLE
    return f"the disk is full ({one_line(error)})" if full else one_line(error)


def _seal(part: Path) -> None:
    """Everything onto the disk, and the sizes last."""
    files = sorted(path for path in part.rglob("*") if path.is_file())
    for file in files:
        sync_folder(file)
    sizes = part / SIZES
    sizes.write_text(json.dumps({str(file.relative_to(part)): file.stat().st_size for file in files}, indent=1))
    sync_folder(sizes)
    sync_folder(part)


def _is_whole(checkpoint: Path) -> bool:
    try:
        sizes: dict[str, Any] = json.loads((checkpoint / SIZES).read_text(encoding="utf-8"))
        return bool(sizes) and all((checkpoint / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, AttributeError):
        return False
