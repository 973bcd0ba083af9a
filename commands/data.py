"""Fetch public data sets."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.group()
def data() -> None:
    """Fetch public data sets of images, questions and reports."""


@data.command("list")
def data_list() -> None:
    """Name, contents and licence of each set that can be fetched.

    \b
    python cli.py data list
    """
    from indexer.datasets.registry import SETS

    for found in SETS.values():
        click.echo(found.notice())


@data.command("pull")
@click.argument("name")
@click.option("--out", type=click.Path(path_type=Path), help="The folder to put it in; data/sets/NAME where not given.")
@click.option("--url", help="Another address of the hub or archive: a mirror.")
@click.option("--yes", is_flag=True, help="Take the licence as read, and do not ask.")
def data_pull(name: str, out: Path | None, url: str | None, yes: bool) -> None:
    """Fetch a data set, its checksums compared. A fetch that was stopped goes on where it was.

    \b
    python cli.py data pull vqa-rad
    python cli.py data pull rocov2 --out /data/rocov2 --yes
    """
    from indexer.datasets.pull import plan
    from indexer.datasets.registry import find_set

    found = find_set(name)
    click.echo(found.notice(), err=True)
    if not (yes or sys.stdin.isatty()):
        raise click.UsageError("nobody to ask whether the licence is agreed to: add --yes")
    planned = plan(found, out or Path(found.folder), url)
    click.echo(planned.summary(), err=True)
    if not yes:
        click.confirm("Fetch it under this licence?", abort=True, err=True)
    for line in planned.fetch():
        click.echo(line)
