"""Two batch runs beside each other."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("diff")
@click.argument("a", metavar="A", type=click.Path(path_type=Path))
@click.argument("b", metavar="B", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="All of it, as JSON.")
def diff_command(a: Path, b: Path, as_json: bool) -> None:
    """Where two runs differ: how they were made, what came of each image, words, evidence, seconds.

    A and B are folders of batches (the run each last worked on) or runs in them.

    \b
    python cli.py batch diff runs/rocov2/3f2a91c07b4d runs/rocov2/77c10be2a94f
    python cli.py batch diff runs/pocket runs/qwen --json > diff.json
    """
    from batch.diff import diff
    from batch.diff_show import show
    from batch.run_folder import read_run

    found = diff(read_run(a), read_run(b))
    click.echo(json.dumps(found.to_json(), ensure_ascii=False) if as_json else show(found), nl=as_json)
