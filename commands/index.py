"""Build, extend, search and check an index."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands.common import SOME_FAILED, Command, to_stderr

if TYPE_CHECKING:
    from indexer import BuildReport


@click.group()
def index() -> None:
    """Build, extend, search and check an index of captioned images and passages."""


def which_index(command: Command) -> Command:
    """An index, as an argument or by --index; without either, the starter index."""
    command = click.argument("folder", required=False)(command)
    return click.option("--index", "named", help="The same as FOLDER.")(command)


@index.command("build")
@click.argument("config")
@click.option("--rebuild", is_flag=True, help="Begin anew, even where an index is already there.")
def index_build(config: str, rebuild: bool) -> None:
    """Build the index that a YAML file describes. A build that was stopped goes on where it was.

    \b
    python cli.py index build configs/indexes/medpix.yaml
    """
    from indexer import build_index

    _report_build(build_index(config, rebuild=rebuild))


@index.command("add")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("config")
def index_add(folder: Path, config: str) -> None:
    """Add the sources of a YAML file to an index; only what is new is embedded.

    \b
    python cli.py index add data/indexes/medpix configs/indexes/pubmed.yaml
    """
    from indexer import add_to_index

    _report_build(add_to_index(folder, config))


@index.command("remove")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--source", "sources", multiple=True, help="All of this source; may be repeated.")
@click.option("--id", "ids", multiple=True, help="This record, or document; may be repeated.")
@click.option("--article", "articles", multiple=True, help="All of this article or case; may be repeated.")
def index_remove(folder: Path, sources: tuple[str, ...], ids: tuple[str, ...], articles: tuple[str, ...]) -> None:
    """Take records out of an index. Building from a configuration that has them brings them back.

    \b
    python cli.py index remove data/indexes/rocov2 --article PMC1234567
    python cli.py index remove data/indexes/rocov2 --source pubmed
    """
    from indexer import remove_from_index

    click.echo(remove_from_index(folder, sources=sources, ids=ids, articles=articles).line())


@index.command("compact")
@click.argument("folder", type=click.Path(path_type=Path))
def index_compact(folder: Path) -> None:
    """Give back the disk space of records that were removed or replaced.

    \b
    python cli.py index compact data/indexes/rocov2
    """
    from indexer import compact_index

    click.echo(compact_index(folder).line())


@index.command("info")
@which_index
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def index_info(folder: str | None, named: str | None, as_json: bool) -> None:
    """What an index holds: counts by source and licence, vector spaces and their embedders.

    \b
    python cli.py index info data/indexes/medpix
    """
    from indexer import open_index
    from rag.show import index_text

    info = open_index(_index_folder(folder, named)).info()
    click.echo(json.dumps(asdict(info)) if as_json else index_text(info))


@index.command("search")
@which_index
@click.option("--image", metavar="FILE", help="Nearest examples to this image.")
@click.option("--text", help="Nearest passages, and nearest examples, to this text.")
@click.option("--k", type=click.IntRange(1, 1000), default=5, show_default=True, help="How many of each kind.")
@click.option("--source", "sources", multiple=True, help="Only of this source; may be repeated.")
@click.option("--license", "licenses", multiple=True, help="Only under this licence; may be repeated.")
@click.option("--without-license", "without_licenses", multiple=True, help="Of no licence with this in its name: NC.")
@click.option("--license-allow", "allow_licenses", multiple=True, help='Only of this family of licences: "CC BY".')
@click.option("--modality", "modalities", multiple=True, help="Only of modalities that begin so: CT.")
@click.option("--year-from", type=int, help="Only of this year and later ones.")
@click.option("--year-to", type=int, help="Only of this year and earlier ones.")
@click.option("--json", "as_json", is_flag=True, help="One record a line, as JSON.")
def index_search(
    folder: str | None, named: str | None, image: str | None, text: str | None, k: int, as_json: bool, **only: Any
) -> None:
    """Search an index by image, or by text: its meaning and its words.

    \b
    python cli.py index search data/indexes/medpix --image ct.png
    python cli.py index search data/indexes/medpix --text "renal mass" --modality CT
    python cli.py index search data/indexes/rocov2 --text "pleural effusion" --without-license NC
    """
    if (image is None) == (text is None):
        raise click.UsageError("give either --image or --text")
    from configs import parse
    from rag.config import EvidenceFilter
    from rag.retrieve import search
    from rag.show import evidence_table
    from rag.types import evidence_json

    wanted = parse(EvidenceFilter, only, "index search").filter()
    found = search(_index_folder(folder, named), image=image, text=text, k=k, only=wanted)
    if as_json:
        for evidence in found:
            click.echo(json.dumps(evidence_json(evidence), ensure_ascii=False))
    else:
        click.echo(evidence_table(found) if found else "Nothing found.")


@index.command("verify")
@which_index
def index_verify(folder: str | None, named: str | None) -> None:
    """Check an index: checksums, counts, and a sample of its vectors computed anew.

    \b
    python cli.py index verify data/indexes/medpix
    """
    from indexer import verify_index

    report = verify_index(_index_folder(folder, named))
    click.echo("\n".join(report.lines()))
    sys.exit(0 if report.ok else SOME_FAILED)


def _index_folder(folder: str | None, named: str | None) -> Path:
    from rag.starter import index_folder

    if folder and named and folder != named:
        raise click.UsageError("FOLDER and --index name two indexes; give one")
    return index_folder(folder or named, tell=to_stderr)


def _report_build(report: BuildReport) -> None:
    click.echo("\n".join(report.lines()))
    sys.exit(SOME_FAILED if report.failures else 0)
