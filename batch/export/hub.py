"""A run as a data set in the hub's form: images, texts, evidence and its licences, and a card that says what made it.

`datasets.load_dataset(FOLDER)` reads it. An image is read again from where it lay and goes in as it is in its file
where that is PNG or JPEG; any other, or one frame of several, as PNG of the pixels that were described, so that a DICOM
header and whom it names stay behind. The places of images on this machine are not in it.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from batch.errors import ExportError
from batch.export.card import Made, card
from batch.export.placing import placed_folder
from batch.export.rows import Kind, Row, rows
from batch.export.tables import arrow_type
from batch.export.types import Exported, Tally
from batch.run_folder import BatchRun
from imaging import ImageError
from indexer.images import image_ref

GROUP_ROWS, GROUP_BYTES = 100, 64 << 20
"""A row group is closed at either: what is in memory at a time, and what a reader of one row has to read."""
FILE_BYTES = 400 << 20
"""Of images in a file, about; the hub asks for files under 500 MB."""
AS_THEY_ARE = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpg"}
"""How a file begins -> its ending."""


def write_hub(run: BatchRun, folder: Path) -> Exported:
    """Writes `data/train-0000i-of-0000N.parquet` and `README.md`.

    What is not as it was when it was described, or cannot be read, is left out and told. Raises ExportError where
    nothing is left, or the folder cannot be written.
    """
    first = next(rows(run))
    text = "caption" if first.result.task == "caption" else "answer"
    made, missing, several = Made(), Tally(), Tally()
    with placed_folder(folder) as part:
        with _Files(part / "data", _columns(text)) as files:
            for row in rows(run):
                image = _image(row, missing)
                if image is None:
                    continue
                files.add({"image": image, **_values(row, text)}, len(image["bytes"]))
                made.add(row)
                if len(row.record["images"]) > 1:
                    several.add(row.result.id, "of several images")
        if not made.rows:
            raise ExportError(f"no image of the run can be read as it was described: {missing.told()}")
        (part / "README.md").write_text(card(run, made, missing, text), encoding="utf-8")
    notes = []
    if missing.count:
        notes.append(f"left out for their images: {missing.told()}")
    if several.count:
        notes.append(f"of several images the first alone is in it: {several.told()}")
    return Exported(folder, made.rows, missing.count, tuple(notes))


def _columns(text: str) -> Mapping[str, Kind]:
    """All but the image."""
    asked: dict[str, Kind] = {} if text == "caption" else {"question": "string"}
    return {
        "id": "string",
        "article": "string",
        **asked,
        text: "string",
        "abstained": "bool",
        "abstained_because": "string",
        "confidence": "float64",
        "cited_ids": "strings",
        "evidence_ids": "strings",
        "evidence_sources": "strings",
        "evidence_licenses": "strings",
        "evidence_attributions": "strings",
        "evidence_urls": "strings",
        "warnings": "strings",
        "image_sha256": "string",
    }


def _values(row: Row, text: str) -> dict[str, Any]:
    """The lists of evidence are in one order; None stands for what is not known."""
    values, evidence = row.values(), row.evidence
    return {
        **{name: values[name] for name in ("id", "article", "abstained", "abstained_because", "confidence")},
        **({} if text == "caption" else {"question": values["question"]}),
        text: values["text"],
        "cited_ids": values["cited"],
        "evidence_ids": values["evidence"],
        "evidence_sources": [item["source"] for item in evidence],
        "evidence_licenses": [item["license"] for item in evidence],
        "evidence_attributions": [item["attribution"] for item in evidence],
        "evidence_urls": [item["url"] for item in evidence],
        "warnings": values["warnings"],
        "image_sha256": row.record["image_sha256"],
    }


def _image(row: Row, missing: Tally) -> dict[str, Any] | None:
    """The first image of a row in the hub's form; None, counted, where it is not the one that was described."""
    id_, described = row.result.id, row.record["images"][0]
    try:
        reference = image_ref(described["image"])
        data = reference.read()
        ending = next((ending for start, ending in AS_THEY_ARE.items() if data.startswith(start)), None)
        if ending is None or hashlib.sha256(data).hexdigest() != described["sha256"]:
            loaded = reference.load()
            if loaded.sha256 != described["sha256"]:
                missing.add(id_, "another than was described")
                return None
            png = io.BytesIO()
            loaded.picture.save(png, "PNG")
            data, ending = png.getvalue(), "png"
    except (ImageError, OSError):
        missing.add(id_, "gone or unreadable")
        return None
    name = re.sub(r"[^\w.-]", "_", id_)
    return {"bytes": data, "path": f"{name}.{ending}"}


class _Files:
    """Parquet files of a data set: a row group in memory, a file at a time, named when it is known how many they are.

    To be used as a context; what was begun is closed at its end.
    """

    def __init__(self, folder: Path, columns: Mapping[str, Kind]) -> None:
        import pyarrow  # type: ignore[import-untyped]

        folder.mkdir()
        image = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
        fields = [("image", image), *((name, arrow_type(kind)) for name, kind in columns.items())]
        self._schema = pyarrow.schema(fields, metadata={"huggingface": _features(columns)})
        self._folder = folder
        self._files: list[Path] = []
        self._writer: Any = None
        self._held: list[Mapping[str, Any]] = []
        self._held_bytes = self._file_bytes = 0

    def __enter__(self) -> _Files:
        return self

    def add(self, row: Mapping[str, Any], size: int) -> None:
        """`size` is the image's, in bytes."""
        self._held.append(row)
        self._held_bytes += size
        if len(self._held) >= GROUP_ROWS or self._held_bytes >= GROUP_BYTES:
            self._write()
        if self._file_bytes >= FILE_BYTES:
            self._close()

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if kind is None and self._held:
            self._write()
        self._close()
        if kind is None:
            for number, file in enumerate(self._files):
                file.rename(self._folder / f"train-{number:05}-of-{len(self._files):05}.parquet")

    def _write(self) -> None:
        import pyarrow
        import pyarrow.parquet  # type: ignore[import-untyped]

        if self._writer is None:
            self._files.append(self._folder / f"{len(self._files):05}")
            # Images are packed already: a dictionary of them would only cost time.
            plain = [name for name in self._schema.names if name != "image"]
            self._writer = pyarrow.parquet.ParquetWriter(self._files[-1], self._schema, use_dictionary=plain)
        self._writer.write_batch(pyarrow.RecordBatch.from_pylist(self._held, schema=self._schema))
        self._file_bytes += self._held_bytes
        self._held, self._held_bytes = [], 0

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer, self._file_bytes = None, 0


def _features(columns: Mapping[str, Kind]) -> str:
    """The columns as `datasets` describes them in a file's schema."""

    def feature(kind: Kind) -> dict[str, Any]:
        value = {"dtype": "string" if kind == "strings" else kind, "_type": "Value"}
        return {"feature": value, "_type": "Sequence"} if kind == "strings" else value

    features = {"image": {"_type": "Image"}, **{name: feature(kind) for name, kind in columns.items()}}
    return json.dumps({"info": {"features": features}})
