"""A run as CSV, JSONL and Parquet; whole, or not at all."""

from __future__ import annotations

import csv
import errno
import json
import os
import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pyarrow.parquet
import pytest
from held_runs import HeldRun, described, evidence, failed, held_run, image_file

from batch.errors import ExportError
from batch.export import FORMATS, Format, export
from batch.export.rows import COLUMNS
from batch.export.tables import ROWS_AT_ONCE
from batch.run_folder import BatchRun, Planned, Result
from commands import export as command


@pytest.fixture
def run(tmp_path: Path) -> HeldRun:
    image = image_file(tmp_path, "a.png")
    return held_run(
        [
            described(image, "b", 'Two lines,\nand "quotes"', article="PMC7"),
            described(image, "a", "", found=()),
            described(image, "c", "Échographie", found=(evidence(2, None), evidence(1))),
        ],
        [failed("d")],
    )


def test_a_csv_has_a_row_a_description_that_reads_back(run: HeldRun, tmp_path: Path) -> None:
    done = export(run, "csv", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ["b", "a", "c"]
    assert rows[0]["text"] == 'Two lines,\nand "quotes"'
    assert (rows[0]["article"], rows[0]["cited"], rows[0]["evidence"]) == ("PMC7", "e1", "e1; e2")
    assert rows[0]["licenses"] == "CC BY 4.0; CC BY-NC 4.0"
    assert (rows[1]["abstained"], rows[1]["abstained_because"]) == ("True", "below the threshold")
    assert (rows[2]["evidence"], rows[2]["licenses"]) == ("e1; e2", "CC BY 4.0")
    assert (done.rows, done.left_out) == (3, 0)
    assert done.notes == ("1 of 4 images have no description: 1 failed, 0 to do",)


def test_jsonl_has_the_records_as_they_are(run: HeldRun, tmp_path: Path) -> None:
    export(run, "jsonl", tmp_path / "out.jsonl")
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").split("\n")
    assert lines == [*(result.record for result in run.held), ""]
    assert [json.loads(line)["id"] for line in lines[:-1]] == ["b", "a", "c"]


def test_parquet_has_typed_columns_and_the_record(run: HeldRun, tmp_path: Path) -> None:
    export(run, "parquet", tmp_path / "out.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    assert table.column_names == [*COLUMNS, "record"]
    assert str(table.schema.field("abstained").type) == "bool"
    assert str(table.schema.field("confidence").type) == "double"
    assert pyarrow.types.is_list(table.schema.field("cited").type)
    rows = table.to_pylist()
    assert [row["cited"] for row in rows] == [["e1"], [], ["e1"]]
    assert rows[0]["seconds"] == 0.21
    assert rows[0]["new_tokens"] == 12
    assert rows[1]["confidence"] is None
    assert json.loads(rows[2]["record"])["caption"] == "Échographie"
    assert json.loads(table.schema.metadata[b"lumenscribe"])["model"] == "pocket@aaaa"


def test_all_columns_are_of_names_and_types_that_are_documented(run: HeldRun, tmp_path: Path) -> None:
    assert get_args(Format) == FORMATS == command.FORMATS
    with (tmp_path / "out.csv").open("w") as _:
        export(run, "csv", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").split("\n")[0].split(",") == list(COLUMNS)


class Watched(HeldRun):
    """Thousands of descriptions, made when asked for; looks at how far the reader is ahead of what is written."""

    def descriptions(self) -> Iterator[Result]:
        for number, planned in enumerate(self.plan):
            if number % ROWS_AT_ONCE == 0:
                Watched.sizes.append(sum(part.stat().st_size for part in self.folder.glob(".*.part")))
            yield replace(self.held[0], id=planned.id)

    sizes: list[int] = []  # noqa: RUF012 - of the only one of a test


def test_a_large_run_is_written_as_it_is_read(run: HeldRun, tmp_path: Path) -> None:
    plan = [Planned(f"i{n}", "x", None, "k") for n in range(4 * ROWS_AT_ONCE)]
    watched = Watched(tmp_path, run.made, plan, [], None, held=run.held)
    for form in ("jsonl", "csv", "parquet"):
        Watched.sizes.clear()
        assert export(watched, form, tmp_path / f"out.{form}").rows == len(plan)
        assert Watched.sizes == sorted(Watched.sizes)
        assert Watched.sizes[-1] > Watched.sizes[0], "nothing was written while it was read"


@pytest.mark.parametrize("form", FORMATS)
def test_a_full_disk_is_one_line_and_leaves_what_was_there(run: HeldRun, tmp_path: Path, form: Format) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    class Full(HeldRun):
        def descriptions(self) -> Iterator[Result]:
            yield self.held[0]
            raise full

    before = sorted(tmp_path.iterdir())
    short = Full(run.folder, run.made, run.plan, run.failures, None, held=run.held)
    with pytest.raises(ExportError, match="cannot be written: No space left on device") as told:
        export(short, form, tmp_path / "out")
    assert "\n" not in str(told.value)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("form", FORMATS)
def test_a_write_that_the_system_refuses_is_one_line_and_leaves_nothing(
    run: HeldRun, tmp_path: Path, form: Format
) -> None:
    large = held_run([replace(run.held[0], id=f"i{n}", text="word " * 2000) for n in range(1000)])
    large = replace(large, held=tuple(replace(row, record=row.record + " " * 10_000) for row in large.held))
    before = sorted(tmp_path.iterdir())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8 << 10, limits[1]))  # bytes that a file may have, as a full disk would
    try:
        with pytest.raises(ExportError, match="cannot be written: File too large") as told:
            export(large, form, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "\n" not in str(told.value)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("form", FORMATS)
def test_a_place_that_cannot_be_written_is_one_line(run: HeldRun, form: Format) -> None:
    with pytest.raises(ExportError, match="cannot be written"):
        export(run, form, Path("/proc/out"), empty="-" if form == "imageclef" else None)


def test_a_reader_that_is_stopped_leaves_nothing(run: HeldRun, tmp_path: Path) -> None:
    class Stopped(HeldRun):
        def descriptions(self) -> Iterator[Result]:
            yield self.held[0]
            raise KeyboardInterrupt

    stopped = Stopped(run.folder, run.made, run.plan, run.failures, None, held=run.held)
    before = sorted(tmp_path.iterdir())
    for form in FORMATS:
        with pytest.raises(KeyboardInterrupt):
            export(stopped, form, tmp_path / "out", empty="-" if form == "imageclef" else None)
        assert sorted(tmp_path.iterdir()) == before


def test_what_cannot_be_asked_for_is_told(run: HeldRun, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="are for --format imageclef"):
        export(run, "csv", tmp_path / "out", empty="x")
    with pytest.raises(ExportError, match="is a folder: name a file"):
        export(run, "csv", tmp_path)
    empty = HeldRun(run.folder, run.made, [Planned("a", "a.png", None, None)], [], None)
    for form in FORMATS:
        with pytest.raises(ExportError, match="holds no descriptions yet"):
            export(empty, form, tmp_path / "out")
    assert isinstance(empty, BatchRun)
