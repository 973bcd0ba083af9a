"""Descriptions of a batch in the forms that others read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.common import SOME_FAILED, to_stderr

if TYPE_CHECKING:
    from batch.export import Format

FORMATS = ("imageclef", "csv", "jsonl", "parquet", "hf")


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "format_",
    required=True,
    type=click.Choice(FORMATS),
    help="What reads it; hf is a data set for the hub.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="File to write; for hf a new folder.")
@click.option("--run", "name", metavar="NAME", help="A run of DIR.  [default: the one it last worked on]")
@click.option(
    "--order",
    type=click.Path(path_type=Path),
    help="imageclef: a CSV with the ids in a column ID, in the order wanted.",
)
@click.option("--empty", metavar="TEXT", help="imageclef: written where there is no caption; else that is an error.")
def export(folder: Path, format_: Format, out: Path, name: str | None, order: Path | None, empty: str | None) -> None:
    """Write the descriptions of a batch run: whole, or not at all.

    DIR is what `batch --out` wrote. imageclef is the file that the ImageCLEFmedical Caption task takes; jsonl has the
    records as `caption --json` prints them; hf has the images, too, and a card: `datasets.load_dataset("PATH")`.

    \b
    python cli.py export runs/rocov2 --format imageclef --order valid_captions.csv --out submission.csv
    python cli.py export runs/rocov2 --format csv --out descriptions.csv
    python cli.py export runs/rocov2 --format parquet --run 3f2a91c07b4d --out descriptions.parquet
    python cli.py export runs/rocov2 --format hf --out datasets/rocov2-described
    """
    from batch.export import export as write
    from batch.run_folder import read_run

    done = write(read_run(folder, name), format_, out, order=order, empty=empty)
    for note in done.notes:
        to_stderr(note)
    to_stderr(f"wrote {done.path}: {done.rows:,} rows")
    sys.exit(SOME_FAILED if done.left_out else 0)
