"""Describe everything in a folder, an archive or a table, and go on where it was."""

from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands.batch_diff import diff_command
from commands.common import SOME_FAILED, run_options, settings, to_stderr

if TYPE_CHECKING:
    from batch.progress import Form
    from batch.workers.choose import EngineKind, ServerKind


class DescribesByDefault(click.Group):
    """`batch INPUT ...` is `batch describe INPUT ...`. A folder that is called as a command is `./diff`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args if args and args[0] in self.commands else [describe.name or "", *args])


@click.group(cls=DescribesByDefault)
def batch() -> None:
    """Describe everything in a folder, an archive or a table, resumably."""


@batch.command("describe")
@click.argument("given", metavar="INPUT")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the results.")
@click.option(
    "--field", "fields", multiple=True, metavar="NAME=FIELD", help="Where id, image, article, question, labels are."
)
@click.option("--where", multiple=True, metavar="FIELD=VALUE", help="Only records with this value; repeat for others.")
@click.option("--question", help="Ask this of each image, in place of a description.")
@click.option("--label", "labels", multiple=True, metavar="ANSWER", help="An answer to choose from; repeat it.")
@click.option("--schema", type=click.Path(path_type=Path), help="JSON Schema: copy out fields of documents.")
@click.option("--engine", type=click.Choice(["local", "ray"]), default="local", help="This machine, or a Ray cluster.")
@click.option("--workers", type=click.IntRange(1), help="Processes (local) or actors (ray); else as many as suit.")
@click.option("--ray-address", metavar="HOST:PORT", help="Head of a Ray cluster, or auto; else this machine alone.")
@click.option(
    "--worker-gpus", type=click.FloatRange(min=0), help="GPUs of an actor, 0.5 to share one; else one, if any."
)
@click.option("--server", type=click.Choice(["vllm"]), help="With --engine ray: let Ray's own vLLM engines generate.")
@click.option("--block", type=click.IntRange(1), help="Records described and kept together.  [default: 32]")
@click.option("--retry-failed", is_flag=True, help="Try again what failed before.")
@click.option(
    "--progress", type=click.Choice(["bar", "json", "none"]), default="bar", help="How to tell how far it is."
)
@run_options
@click.option("--json", "as_json", is_flag=True, help="The summary as JSON.")
def describe(
    given: str, out: Path, fields: tuple[str, ...], where: tuple[str, ...], question: str | None,
    labels: tuple[str, ...], schema: Path | None, engine: EngineKind, workers: int | None,
    ray_address: str | None, worker_gpus: float | None, server: ServerKind | None, block: int | None,
    retry_failed: bool, progress: Form, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Describe everything in INPUT, and keep it in a folder. Run it again and it goes on.

    INPUT is a folder of images, a "glob*.png", a zip, a record file (CSV, JSONL, Parquet) with the images beside it or
    inside, an index, a data set of the hub on disk, or ROCOv2's archive. Whatever shapes a text (model, prompt, index,
    parameters) makes a run of its own in the folder; the same again goes on with the one that is there.

    \b
    python cli.py batch images/ --out results/
    python cli.py batch data/rocov2 --out results/ --index data/indexes/rocov2 --set batch_size=16
    python cli.py batch cases.csv --field id=case_id --field image=file --where split=test --out results/
    python cli.py export results/ --format csv --out captions.csv
    python cli.py batch images/ --out results/ --engine ray --ray-address head:6379
    python cli.py batch diff results/ other-results/
    """
    from batch.errors import BatchError
    from batch.inputs import InputOptions, open_input
    from batch.progress import FORMS
    from batch.runner import BLOCK, Job, run_batch
    from batch.stopping import Stop
    from batch.summary import summary_text
    from batch.workers.choose import Crew
    from evaluation.report.batch import write_page
    from imaging import ImageError
    from rag.fields import read_schema

    crew = Crew(engine, workers, ray_address, worker_gpus, server)
    asked = InputOptions.of(fields, where, question, labels, None if schema is None else read_schema(schema))
    job = Job(open_input(given, asked), settings(options), out, block or BLOCK, retry_failed, server)
    stop = Stop()

    def page(folder: Path) -> None:
        """Written beside what counts: where it cannot be, that is said, and the run is what it is."""
        try:
            to_stderr(f"wrote {write_page(folder)}")
        except (BatchError, ImageError, OSError, sqlite3.Error) as error:
            to_stderr(f"the page of the run cannot be written: {error}. Later: python cli.py report {folder}")

    with stop.by_signals(to_stderr):
        summary = run_batch(job, crew.open, to_stderr, FORMS[progress](), stop, page)
    click.echo(json.dumps(summary.to_json(), ensure_ascii=False) if as_json else summary_text(summary))
    if summary.tally.failed or summary.tally.left:
        sys.exit(SOME_FAILED)


batch.add_command(diff_command)
