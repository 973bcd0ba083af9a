"""Descriptions on the disk: a Parquet file a block, whole or not there."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batch.errors import BatchError
from batch.ledger import Shard
from batch.types import Described
from indexer.manifest import sync_folder
from rag.recorded import text_of

if TYPE_CHECKING:
    import pyarrow  # type: ignore[import-untyped]
    from _typeshed import DataclassInstance

_COMPRESSION = "zstd"


@dataclass(frozen=True)
class Result:
    """A description as a shard holds it; `record` is the JSON text of `caption --json`, `text` what it says.

    `image_sha256` is of the file's bytes; of several images the hashes stand one behind the other with a space between.
    `confidence` is 0 to 1, None where none is told.
    """

    id: str
    key: str
    article: str | None
    image: str
    image_sha256: str
    task: str
    text: str
    abstained: bool
    confidence: float | None
    record: str


def result(key: str, described: Described) -> Result:
    """A description under its key, as a shard holds it."""
    record = described.record
    confidence = record.get("confidence")
    return Result(
        id=described.id,
        key=key,
        article=record["article"],
        image=" ".join(image["image"] for image in record["images"]),
        image_sha256=" ".join(image["sha256"] for image in record["images"]),
        task=record["task"],
        text=text_of(record),
        abstained=record["abstained"],
        confidence=None if confidence is None else confidence["score"],
        record=json.dumps(record, ensure_ascii=False),
    )


def table_of(row: type[DataclassInstance], rows: Sequence[DataclassInstance]) -> pyarrow.Table:
    """A table with the fields of a dataclass as columns: strings, booleans and floats, null where they may be None."""
    pa = pyarrow_module()
    kinds = {"bool": pa.bool_(), "float | None": pa.float32()}
    columns = [
        pa.field(f.name, kinds.get(str(f.type), pa.string()), nullable="None" in str(f.type)) for f in fields(row)
    ]
    arrays = [pa.array(list(map(attrgetter(field.name), rows)), field.type) for field in columns]
    return pa.Table.from_arrays(arrays, schema=pa.schema(columns))


def table_bytes(table: pyarrow.Table) -> bytes:
    """A table as the bytes of a Parquet file."""
    import pyarrow.parquet  # type: ignore[import-untyped]

    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(table, sink, compression=_COMPRESSION)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def write_shard(results: Sequence[Result], file: Path) -> str:
    """Writes a shard so that it is whole or not there, and returns the SHA-256 of its bytes. Raises OSError."""
    data = table_bytes(table_of(Result, results))
    put(data, file)
    return hashlib.sha256(data).hexdigest()


def read_shard(file: Path, columns: Sequence[str] | None = None) -> pyarrow.Table:
    """The rows of a shard, all columns or some. Raises OSError and pyarrow.ArrowException for a damaged one."""
    pyarrow_module()
    import pyarrow.parquet

    return pyarrow.parquet.read_table(file, columns=None if columns is None else list(columns))


def is_whole(folder: Path, shard: Shard) -> bool:
    """Whether a shard's file is there with the bytes that were committed."""
    if not shard.file:
        return True
    try:
        with (folder / shard.file).open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest() == shard.sha256
    except OSError:
        return False


def put(data: bytes, file: Path) -> None:
    """Writes a file so that it is there whole or as it was before, and stays so when the power goes. Raises OSError."""
    beside = file.with_name(f".{file.name}.part")
    try:
        with beside.open("wb") as opened:
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
        beside.replace(file)
    except OSError:
        with suppress(OSError):  # half a file, of a full disk, has no use and takes room
            beside.unlink()
        raise
    sync_folder(file.parent)


def pyarrow_module() -> Any:
    """The package pyarrow. Raises BatchError with the install line where it is not there."""
    try:
        import pyarrow
    except ImportError as error:
        raise BatchError("a batch is written as Parquet, which needs: pip install 'lumenscribe[parquet]'") from error
    return pyarrow
