"""Results as one page."""

from __future__ import annotations

from pathlib import Path

import click

from commands.common import to_stderr

SUFFIXES = {".html": "html", ".htm": "html", ".md": "md", ".json": "json"}


@click.command()
@click.argument("results", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="File; DIR/report.html where not given.")
@click.option("--format", "form", type=click.Choice(["html", "md", "json"]), help="As --out ends, else html.")
@click.option(
    "--no-images", is_flag=True, help="No image and no text of the data: a page to share where it must not be."
)
def report(results: Path, out: Path | None, form: str | None, no_images: bool) -> None:
    """One self-contained page of a run, a batch, an experiment, ratings, a benchmark or a training.

    DIR is a folder or file that another command wrote; what it holds is found out. The page opens offline and prints;
    it shows images and texts of the data unless --no-images is given. `--out -` writes to stdout.

    \b
    python cli.py report runs/pocket-medpix
    python cli.py report runs/prompts --no-images --out docs/experiments/prompts.html
    python cli.py report benchmarks/pocket.json --format md --out -
    """
    from evaluation.report.kinds import document_of
    from evaluation.report.writing import default_file, write

    chosen = form or SUFFIXES.get(out.suffix.lower() if out else ".html", "html")
    document = document_of(results, data=not no_images)
    if out == Path("-"):
        click.echo(write(document, chosen), nl=False)
        return
    file = out or default_file(results, chosen)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(write(document, chosen), encoding="utf-8")
    to_stderr(f"wrote {file}, {file.stat().st_size / 1024:,.0f} KiB: {document.title}")
