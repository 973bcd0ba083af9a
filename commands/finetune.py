"""Adapt a model: its data, its training, and what becomes of an adapter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.finetune_run import run_command
from commands.finetune_ship import merge_command, push_command

if TYPE_CHECKING:
    from finetune.prepare.options import Leaks
    from rag.prompts import Task


@click.group()
def finetune() -> None:
    """Adapt a model to captions, questions, labels or documents."""


finetune.add_command(run_command)
finetune.add_command(merge_command)
finetune.add_command(push_command)


@finetune.command("prepare")
@click.argument("source")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the records and images.")
@click.option("--as", "read_as", metavar="NAME", help="Read SOURCE as this public set (`data list`).")
@click.option("--field", "fields", multiple=True, metavar="NAME=FIELD", help="Where id, image, answer, ... are.")
@click.option("--where", multiple=True, metavar="FIELD=VALUE", help="Only records with this value; repeat for others.")
@click.option("--task", type=click.Choice(["caption", "ask", "classify", "extract"]), help="Else as the source says.")
@click.option("--question", default="", help="Ask this of each record, in place of a question of its own.")
@click.option("--label", "labels", multiple=True, metavar="ANSWER", help="An answer to choose from; repeat it.")
@click.option("--schema", type=click.Path(path_type=Path), help="JSON Schema that the answers satisfy.")
@click.option("--closed-as-labels", is_flag=True, help="Questions whose answer is yes or no choose between these.")
@click.option("--split-field", metavar="FIELD", help="Field that says of which split a record is.  [default: split]")
@click.option("--dev", type=click.FloatRange(0, 1, max_open=True), help="Share for dev, where the source has none.")
@click.option("--test", type=click.FloatRange(0, 1, max_open=True), help="Share for test, where the source has none.")
@click.option("--resplit", is_flag=True, help="Draw all splits anew, whatever the source says.")
@click.option(
    "--leaks", type=click.Choice(["leave-out", "keep"]), default="leave-out", show_default=True,
    help="Train records that share an article or a picture with another split.",
)  # fmt: skip
@click.option("--no-look-alikes", is_flag=True, help="Do not compare pictures; equal ones are told apart all the same.")
@click.option("--license", "license_", default="", metavar="NAME", help="Of records that state none of their own.")
@click.option("--max", "most", type=click.IntRange(1), help="At most so many records, whole articles, drawn by seed.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of splits, of --max, and of how pages look.")
@click.option("--json", "as_json", is_flag=True, help="The report as JSON.")
def prepare_command(
    source: str, out: Path, read_as: str | None, fields: tuple[str, ...], where: tuple[str, ...], task: Task | None,
    question: str, labels: tuple[str, ...], schema: Path | None, closed_as_labels: bool, split_field: str | None,
    dev: float | None, test: float | None, resplit: bool, leaks: str, no_look_alikes: bool, license_: str,
    most: int | None, seed: int, as_json: bool,
) -> None:  # fmt: skip
    """Make a folder to learn from: images and a JSONL file a split. Run it again and it goes on.

    SOURCE is a public set (`data list`), a set of configs/sets, a record file (CSV, JSONL, Parquet) or a folder with
    one, an index, or anything else that `batch` reads. Splits that it has are kept, else they are drawn; articles,
    cases and pictures that look alike stay on one side.

    \b
    python cli.py finetune prepare rocov2 --out data/finetune/rocov2
    python cli.py finetune prepare vqa_rad --out data/finetune/vqa_rad --closed-as-labels
    python cli.py finetune prepare mtsamples --out data/finetune/mtsamples --max 2000
    python cli.py finetune prepare cases.csv --field image=file --field answer=report --out data/finetune/cases
    python cli.py finetune prepare notes.csv --field text=note --field answer=kind --question "Which kind is it?" \\
        --label referral --label discharge --out data/finetune/notes
    """
    from commands.progress import Bars
    from finetune.prepare import Options, prepare, report_text
    from rag.fields import read_schema

    kept: Leaks = "keep" if leaks == "keep" else "leave_out"
    options = Options(
        read_as=read_as, fields=(*fields, *((f"split={split_field}",) if split_field else ())), where=where, task=task,
        question=question, labels=labels, schema=None if schema is None else read_schema(schema),
        closed_as_labels=closed_as_labels, dev=dev, test=test, resplit=resplit, leaks=kept,
        look_alikes=not no_look_alikes, license=license_, seed=seed, most=most,
    )  # fmt: skip
    done = prepare(source, out, options, Bars())
    if done.already:
        click.echo(f"{out} is whole already", err=True)
    click.echo(done.report.model_dump_json(indent=2) if as_json else report_text(done.report, out))
