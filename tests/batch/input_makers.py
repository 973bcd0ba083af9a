"""Small inputs of every kind, made of real files."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from batch.inputs import InputOptions, open_input
from batch.types import Item, Unusable
from indexer.images import image_ref


def png(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((8, 9, 3), (shade, 0, 7), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def write_files(root: Path, files: Mapping[str, bytes | str]) -> Path:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    return root


def write_zip(path: Path, members: Mapping[str, bytes], date: tuple[int, ...] = (2020, 1, 1, 0, 0, 0)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, date)  # type: ignore[arg-type]
            packed.writestr(info, data)
    return path


def jsonl(*records: Mapping[str, Any]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def hub_table(shades: Sequence[int | None], column: str = "image", **more: Sequence[Any]) -> Any:
    """A table in the hub's form: a struct of bytes and path, `datasets`' own feature Image.

    https://huggingface.co/docs/datasets/about_dataset_features#image-feature
    """
    pa = pytest.importorskip("pyarrow")
    cells = [None if shade is None else {"bytes": png(shade), "path": f"{shade}.png"} for shade in shades]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    return pa.table({**{name: pa.array(values) for name, values in more.items()}, column: pa.array(cells, kind)})


def write_parquet(path: Path, table: Any, rows_a_group: int = 2) -> Path:
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=rows_a_group)
    return path


def write_saved(folder: Path, tables: Sequence[Any], split: str | None = "train") -> Path:
    """As `datasets.save_to_disk` writes a split: streams of Arrow batches, and a state.json that names them.

    https://github.com/huggingface/datasets/blob/3.1.0/src/datasets/arrow_dataset.py, Dataset.save_to_disk
    """
    import pyarrow as pa

    folder.mkdir(parents=True, exist_ok=True)
    names = [f"data-{n:05d}-of-{len(tables):05d}.arrow" for n in range(len(tables))]
    for name, table in zip(names, tables, strict=True):
        with pa.OSFile(str(folder / name), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=2)
    state = {
        "_data_files": [{"filename": name} for name in names],
        "_fingerprint": "f6bb1a9b0b3c9b1e",
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": split,
    }
    (folder / "state.json").write_text(json.dumps(state, indent=2, sort_keys=True))
    (folder / "dataset_info.json").write_text("{}")
    return folder


def read(text: str | Path, **options: Any) -> list[Item | Unusable]:
    """What is read, the same twice."""
    opened = open_input(str(text), InputOptions(**options))
    found = list(opened)
    assert list(opened) == found
    return found


def items(text: str | Path, **options: Any) -> list[Item]:
    """What is read, where all of it can be used."""
    found = read(text, **options)
    assert not [one for one in found if isinstance(one, Unusable)]
    return [one for one in found if isinstance(one, Item)]


def shades(found: Sequence[Item]) -> dict[str, int]:
    """By id, the shade of the image that each item names, read from its text as a worker reads it."""
    seen = {}
    for item in found:
        (image,) = item.request.images
        assert isinstance(image, str)
        seen[item.request.id] = int(image_ref(image).load().pixels[0, 0, 0])
    return seen


def notes(text: str | Path, **options: Any) -> list[str]:
    opened = open_input(str(text), InputOptions(**options))
    list(opened)
    return opened.notes
