"""How good descriptions are."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands.common import SOME_FAILED, Command, comma_separated, pipeline_options, settings, to_stderr

if TYPE_CHECKING:
    from evaluation.sets import EvaluationSet


@click.group()
def evaluate() -> None:
    """How good descriptions are, and what retrieval adds to them."""


def set_options(command: Command) -> Command:
    """Which images something is measured on."""
    options = [
        click.option("--where", multiple=True, metavar="FIELD=VALUE", help="Only such records: split=dev"),
        click.option("--field", "fields", multiple=True, metavar="OURS=THEIRS", help="Of a record: article=case"),
        click.option("--truth", multiple=True, metavar="LIST=FIELD", help="What is true is in this field: plane=plane"),
        click.option("--content", help="The word lists that texts are read by: of configs/content, or a YAML file."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@evaluate.command("retrieval")
@set_options
@click.option("--ks", default="1,3,5", show_default=True, callback=comma_separated(int), help="Numbers of examples.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder of the results; runs/retrieval-SET where not given."
)
@pipeline_options
def evaluate_retrieval(ks: tuple[int, ...], out: Path | None, as_json: bool, **options: Any) -> None:
    """Whether evidence helps: none, random, nearest, the best there is; and blank and swapped images.

    Every image of the set is described in each arm. --set names the set: a folder with records.jsonl, a record file, or
    a file of configs/sets; a --set with KEY=VALUE changes a setting, as everywhere. Run it again and it goes on.

    \b
    python cli.py evaluate retrieval --index data/indexes/medpix --set medpix
    python cli.py evaluate retrieval --index data/indexes/rocov2 --set ../rocov2/valid --field article=pmcid --ks 1,5
    """
    from evaluation import show
    from evaluation.ablation import retrieval

    images = _evaluation_set(options)
    folder = out or Path("runs") / f"retrieval-{images.name}"
    results = retrieval.evaluate_retrieval(settings(options), images, ks, folder, tell=to_stderr)
    for file in retrieval.write(results, folder):
        to_stderr(f"wrote {file}")
    click.echo(json.dumps(results.to_json()) if as_json else show.retrieval_text(results))
    sys.exit(SOME_FAILED if results.failures else 0)


@evaluate.command("calibrate")
@set_options
@click.option("--coverage", type=click.FloatRange(0, 1, min_open=True), help="Share to be kept.  [default: 0.8]")
@click.option("--risk", type=click.FloatRange(0, 1), help="Or: share of what is kept that may be wrong.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="File for the calibration; page beside it.")
@pipeline_options
def evaluate_calibrate(coverage: float | None, risk: float | None, out: Path, as_json: bool, **options: Any) -> None:
    """When to abstain: fit how a description's signals tell that it is right, and draw risk by coverage.

    --set names the set, as for `evaluate retrieval`. The file is used with --set check.calibration=FILE.

    \b
    python cli.py evaluate calibrate --index data/indexes/medpix --set medpix --out runs/calibration.yaml
    python cli.py caption --image ct.png --set check.calibration=runs/calibration.yaml
    """
    if coverage is not None and risk is not None:
        raise click.UsageError("give --coverage or --risk, not both")
    from evaluation import show
    from evaluation.calibration import calibrate

    images = _evaluation_set(options)
    found = calibrate.calibrate(settings(options), images, to_stderr, coverage or calibrate.REPORTED, risk)
    for file in calibrate.write(found, out):
        to_stderr(f"wrote {file}")
    click.echo(json.dumps(found.to_json()) if as_json else show.calibration_text(found))
    sys.exit(SOME_FAILED if found.failures else 0)


def _evaluation_set(options: dict[str, Any]) -> EvaluationSet:
    """The set that one --set names; the others, KEY=VALUE, stay settings."""
    from evaluation.sets import read_set

    given = options["assignments"]
    named = [value for value in given if "=" not in value or Path(value).exists()]
    if len(named) != 1:
        raise click.UsageError("name one set of images: --set FOLDER, --set records.jsonl or --set NAME (configs/sets)")
    options["assignments"] = tuple(value for value in given if value not in named)
    return read_set(named[0], options["where"], options["fields"], options["truth"], options["content"])
