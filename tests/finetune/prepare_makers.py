"""Small sources in the layouts of the real ones, with pictures that have something in them."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from finetune.prepare import Options, Report, prepare
from finetune.records import read_split


def picture(seed: int, side: int = 160) -> Image.Image:
    """Blobs and grain of their own: as unlike another's as two scans of other organs."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (7, 7), np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
    fine = Image.fromarray(rng.integers(0, 256, (40, 40), np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
    return Image.blend(coarse, fine, 0.35).convert("RGB")


def png(seed: int) -> bytes:
    return saved(picture(seed), "PNG")


def copy_of(seed: int) -> bytes:
    """The same picture, smaller and recompressed."""
    return saved(picture(seed).resize((120, 120)), "JPEG")


def saved(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def write_files(root: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def write_jsonl(path: Path, records: Sequence[Mapping[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def captions(root: Path, count: int, a_case: int = 2, **more: Any) -> list[dict[str, Any]]:
    """A folder of captioned pictures, so many of one case; the records that it has."""
    write_files(root, {f"pictures/{n}.png": png(n) for n in range(count)})
    records = [
        {"id": f"r{n}", "image": f"pictures/{n}.png", "caption": f"Caption number {n}.", "case": f"c{n // a_case}"}
        | more
        for n in range(count)
    ]
    write_jsonl(root / "records.jsonl", records)
    return records


def write_hub(path: Path, column: str, cells: Sequence[bytes | None], rows: Mapping[str, Sequence[Any]]) -> None:
    """A Parquet file as the hub hands it out, two rows a group."""
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    images = pa.array([None if cell is None else {"bytes": cell, "path": None} for cell in cells], kind)
    pq.write_table(pa.table({column: images, **{k: list(v) for k, v in rows.items()}}), path, row_group_size=2)


def write_rocov2(root: Path) -> Path:
    """The archive's release: captions, concepts, origins and packed images of three splits; one image is missing."""
    origins = []
    for place, split in enumerate(("train", "valid", "test")):
        ids = [f"ROCOv2_2023_{split}_{n:06d}" for n in range(1, 5)]
        write_csv(root / f"{split}_captions.csv", ("ID", "Caption"), [(i, f"Caption of {i}.") for i in ids])
        write_csv(root / f"{split}_concepts_manual.csv", ("ID", "CUIs"), [(i, "C0040405") for i in ids])
        with zipfile.ZipFile(root / f"{split}_images.zip", "w") as packed:
            for n, i in enumerate(ids[: 3 if split == "test" else 4]):
                packed.writestr(f"{split}/{i}.jpg", saved(picture(10 * place + n), "JPEG"))
        origins += [(i, f"PMC{place}{n // 2}", "CC BY-NC [Ito et al. (2021)]", "") for n, i in enumerate(ids)]
    write_csv(root / "license_information.csv", ("ID", "PMCID", "Attribution", "Link"), origins)
    write_csv(root / "cui_mapping.csv", ("CUI", "Canonical name"), [("C0040405", "X-Ray Computed Tomography")])
    return root


REPORTS = (
    ",description,medical_specialty,sample_name,transcription,keywords\n"
    '0,A heart. , Cardiovascular / Pulmonary,Echo - 1 ,"2-D M-MODE: , ,1.  Left atrial enlargement.,IMPRESSION: , '
    'Enlarged.","cardiovascular, doppler, doppler,"\n'
    "1,Nothing, Surgery,Empty - 1,,\n"
    '2,A visit, Neurology, Visit - 2 ,"SUBJECTIVE:,  The patient is well.",\n'
    '3,A visit again, Surgery, Visit - 3 ,"SUBJECTIVE:,  The patient is WELL.",\n'
    '4,bad, row, with, "too", many, cells\n'
    f'5,Long, Surgery, Long - 5,"{"The vessel was followed as far as the bifurcation. " * 200}",vessel\n'
)
"""MTSamples' CSV: an empty report, one twice under two specialties, a row of too many cells, one of several pages."""


def quiet(what: str, done: int, total: int) -> None:
    assert done <= total, what


def made(source: str | Path, out: Path, **options: Any) -> Report:
    return prepare(str(source), out, Options(**options), quiet).report


def splits_of(out: Path, report: Report) -> dict[str, str]:
    """The split of each record, by id."""
    return {record.id: split for split in report.splits for record in read_split(out, split)}


def left_out(out: Path) -> dict[str, tuple[str, str]]:
    """Why each record is in no split, by id."""
    lines = (out / "left_out.jsonl").read_text(encoding="utf-8").splitlines()
    return {one["id"]: (one["why"], one["reason"]) for one in map(json.loads, lines)}
