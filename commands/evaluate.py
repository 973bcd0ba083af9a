"""How good descriptions are."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands.common import SOME_FAILED, Command, comma_separated, pipeline_options, settings, to_stderr, with_options

if TYPE_CHECKING:
    from evaluation.sets import EvaluationSet
    from rag.config import Settings


@click.group()
def evaluate() -> None:
    """How good descriptions are, and what retrieval adds to them."""


_content_option = click.option(
    "--content", help="The word lists that texts are read by: of configs/content, or a YAML file."
)


def set_options(command: Command) -> Command:
    """Which images something is measured on."""
    return with_options(
        click.option("--where", multiple=True, metavar="FIELD=VALUE", help="Only such records: split=dev"),
        click.option("--field", "fields", multiple=True, metavar="OURS=THEIRS", help="Of a record: article=case"),
        click.option("--truth", multiple=True, metavar="LIST=FIELD", help="What is true is in this field: plane=plane"),
        click.option("--split", "splits", multiple=True, metavar="NAME=FIELD", help="Figures by a field: organ=organ"),
        _content_option,
    )(command)


def metric_options(command: Command) -> Command:
    """Which metrics, and how they are set."""
    return with_options(
        click.option(
            "--metrics", default="default", show_default=True, callback=comma_separated(str),
            help="Metrics and presets: default, lexical, imageclef, radiology, questions, fields, all.",
        ),
        click.option(
            "--with", "metric_settings", multiple=True, metavar="KEY=VALUE", help="Of metrics: bertscore.model=minilm"
        ),
    )(command)  # fmt: skip


@evaluate.command("run")
@set_options
@metric_options
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the run and its scores.")
@click.option("--submission", type=click.Path(path_type=Path), help="Also write the captions as ID,Caption here.")
@pipeline_options
def evaluate_run(
    metrics: tuple[str, ...],
    metric_settings: tuple[str, ...],
    out: Path,
    submission: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Describe a set, or answer its questions, and score what was said beside what nobody said for it.

    --set names the set, as for `evaluate retrieval`; --split adds figures by a field. Run it again and it goes on;
    other metrics of the same run take seconds. Sets of questions and documents take their own metrics by default.

    \b
    python cli.py evaluate run --set medpix --index data/indexes/medpix --out runs/medpix
    python cli.py evaluate run --set medpix --out runs/medpix --metrics lexical,bertscore --with bertscore.model=minilm
    python cli.py evaluate run --set vqa_rad --out runs/vqa_rad
    """
    from batch.errors import ExportError
    from batch.export import write_submission
    from evaluation.metrics import table
    from evaluation.metrics.config import read_config
    from evaluation.metrics.registry import named
    from evaluation.metrics.score import score_run
    from evaluation.metrics.scored import write_scores
    from evaluation.runs import describe_set

    config = read_config(metric_settings)
    named(metrics)  # a wrong name is told before anything is described
    images, asked = _set_and_settings(options)
    run = describe_set(asked, images, out, to_stderr)
    index = asked.retrieval.index
    scored = score_run(run, metrics, config, Path(index) if index and Path(index).is_dir() else None, to_stderr)
    for file in write_scores(scored, out):
        to_stderr(f"wrote {file}")
    for id_, reason in run.failures.items():
        to_stderr(f"{id_}: {reason}; it counts with an empty text")
    click.echo(json.dumps(table.to_json(scored)) if as_json else table.text(scored))
    failed = bool(run.failures)
    if submission is not None:
        try:
            write_submission(((case.id, run.text(case.id)) for case in run.cases), submission)
            to_stderr(f"wrote {submission}")
        except ExportError as error:
            to_stderr(f"no {submission}: {error}")
            failed = True
    sys.exit(SOME_FAILED if failed else 0)


@evaluate.command("score")
@click.option("--predictions", required=True, type=click.Path(path_type=Path), help="JSONL or CSV with id, caption.")
@click.option("--references", required=True, type=click.Path(path_type=Path), help="The same, of what people wrote.")
@click.option(
    "--index",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of an index: its encoder, and its nearest captions as a foil.",
)
@_content_option
@click.option("--lenient", is_flag=True, help="Score although lines are wrong: what is missing counts as empty.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the scores, image by image.")
@metric_options
@click.option("--json", "as_json", is_flag=True, help="The figures as JSON.")
def evaluate_score(
    predictions: Path,
    references: Path,
    index: Path | None,
    content: str | None,
    lenient: bool,
    out: Path | None,
    metrics: tuple[str, ...],
    metric_settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Score captions of any program: two files with the same ids.

    References may also have image (a file beside them), article, modality, organ, source, answer_type and concepts.
    Every line that is wrong is named, and nothing is scored (code 2); with --lenient the rest is (code 1).

    \b
    python cli.py evaluate score --predictions said.jsonl --references written.jsonl --index data/indexes/medpix
    python cli.py evaluate score --predictions submission.csv --references captions.csv --metrics imageclef --json
    """
    from evaluation.metrics import table
    from evaluation.metrics.config import read_config
    from evaluation.metrics.files import pairs, read_captions
    from evaluation.metrics.nearest import with_index
    from evaluation.metrics.registry import named
    from evaluation.metrics.score import score_texts
    from evaluation.metrics.scored import write_scores

    config = read_config(metric_settings)
    named(metrics)  # a wrong name is told before an index is searched
    asked, texts, faults = pairs(read_captions(predictions), read_captions(references), lenient, content or "radiology")
    for fault in faults:
        to_stderr(fault)
    if index is not None:
        asked = with_index(asked, index)
    scored = score_texts(predictions.stem, texts, asked, metrics, config, to_stderr)
    if out is not None:
        for file in write_scores(scored, out):
            to_stderr(f"wrote {file}")
    click.echo(json.dumps(table.to_json(scored)) if as_json else table.text(scored))
    sys.exit(SOME_FAILED if faults else 0)


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

    images, asked = _set_and_settings(options)
    folder = out or Path("runs") / f"retrieval-{images.name}"
    results = retrieval.evaluate_retrieval(asked, images, ks, folder, tell=to_stderr)
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
    from evaluation.calibration.coverage import REPORTED

    images, asked = _set_and_settings(options)
    found = calibrate.calibrate(asked, images, to_stderr, coverage or REPORTED, risk)
    for file in calibrate.write(found, out):
        to_stderr(f"wrote {file}")
    click.echo(json.dumps(found.to_json()) if as_json else show.calibration_text(found))
    sys.exit(SOME_FAILED if found.failures else 0)


@evaluate.command("compare")
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN [RUN...]", type=click.Path(path_type=Path))
@click.option("--baseline", metavar="NAME", help="The run that the others are compared with.  [default: the first]")
@click.option("--metric", "metrics", multiple=True, metavar="M", help="Only this one; repeated: only these.")
@click.option("--margin", "margins", multiple=True, metavar="M=0.02", help="The largest difference that is none.")
@click.option("--test", "tests", multiple=True, metavar="M=TEST", help="bootstrap, mcnemar or wilcoxon.")
@click.option("--alpha", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.05, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="What results.json holds.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder of the results; runs/compare-NAMES where not given."
)
def evaluate_compare(
    runs: tuple[Path, ...],
    baseline: str | None,
    metrics: tuple[str, ...],
    margins: tuple[str, ...],
    tests: tuple[str, ...],
    alpha: float,
    as_json: bool,
    out: Path | None,
) -> None:
    """Is a run better than another? Scored runs of the same images, paired, with a verdict.

    better, worse, equivalent (surely within the margin) or inconclusive; with three runs and more p is Holm-adjusted.
    Right and wrong is tested by McNemar's test, all else by a bootstrap; images of one article count as one.

    \b
    python cli.py evaluate compare runs/none runs/nearest --margin rouge1=0.02
    python cli.py evaluate compare runs/a runs/b runs/c --baseline b --metric rouge1 --metric meteor --json
    """
    if len(runs) < 2:
        raise click.UsageError("name two runs or more")
    from evaluation.statistics import runs as comparison
    from evaluation.statistics.table import compared_text

    entries = comparison.read_entries(runs)
    found = comparison.compare_runs(
        entries,
        baseline,
        metrics,
        {name: _number(value) for name, value in map(_assigned, margins)},
        {name: comparison.named_test(value) for name, value in map(_assigned, tests)},
        alpha,
    )
    folder = out or Path("runs") / "-".join(["compare", *(run.resolve().name for run in runs)])
    to_stderr(f"wrote {comparison.write(found, folder)}")
    click.echo(json.dumps(found.to_json()) if as_json else compared_text(found))


def _assigned(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise click.UsageError(f"{text!r} is no METRIC=VALUE like rouge1=0.02")
    return name, value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise click.UsageError(f"{text!r} is no number like 0.02") from error


def _set_and_settings(options: dict[str, Any]) -> tuple[EvaluationSet, Settings]:
    """The set that one --set names, and the settings: the other --set, KEY=VALUE, are among those."""
    from evaluation.sets import read_set

    given = options["assignments"]
    named = [value for value in given if "=" not in value or Path(value).exists()]
    if len(named) != 1:
        raise click.UsageError("name one set of images: --set FOLDER, --set records.jsonl or --set NAME (configs/sets)")
    images = read_set(
        named[0], options["where"], options["fields"], options["truth"], options["content"], options["splits"]
    )
    return images, settings(options | {"assignments": tuple(value for value in given if value not in named)})
