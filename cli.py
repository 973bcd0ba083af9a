"""The command line: parse, call, print. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

try:
    import click
except ModuleNotFoundError:
    from installed import bare_report

    sys.exit("\n".join(bare_report()))

if TYPE_CHECKING:
    from evaluation.sets import EvaluationSet
    from indexer import BuildReport
    from rag.config import Settings
    from rag.types import Request

Command = TypeVar("Command", bound=Callable[..., Any])

SOME_FAILED, WRONG_REQUEST = 1, 2
"""Exit codes besides 0: some inputs failed and the rest is done; the request itself is wrong."""


def known_errors() -> tuple[type[Exception], ...]:
    """The base classes of the errors that are told in one line; evaluated only once something was raised."""
    from configs import ConfigError
    from evaluation.errors import EvaluationError
    from imaging import ImageError
    from indexer.errors import IndexerError
    from rag.errors import RagError
    from vlm.errors import VlmError

    return (ConfigError, EvaluationError, ImageError, IndexerError, RagError, VlmError)


class Program(click.Group):
    """Turns our own errors into one line on stderr and exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except known_errors() as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(WRONG_REQUEST)


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="lumenscribe")
def main() -> None:
    """Descriptions of biomedical images, each with its evidence.

    For research only; not for diagnosis.

    \b
    python cli.py caption --image cell.png
    python cli.py ask --image cell.png --question "What kind of image is this?"
    python cli.py index build configs/indexes/bccd.yaml
    python cli.py caption --image cell.png --index data/indexes/bccd --json
    python cli.py doctor
    """
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it warns that the hub has faster kernels


def pipeline_options(command: Command) -> Command:
    """The options that mean the same wherever something is described."""
    options = [
        click.option("--index", help="Folder of an index, or `starter` (the default), built at first use."),
        click.option("--model", help="A model of configs/models, by name."),
        click.option("--adapter", type=click.Path(path_type=Path), help="Folder of a LoRA adapter."),
        click.option("--prompt", help="A template of configs/prompts, by name, or a YAML file."),
        click.option("--k", type=click.IntRange(1, 50), help="How many examples, and how many passages."),
        click.option("--no-rag", is_flag=True, help="Describe from the image alone, without evidence."),
        click.option(
            "--license-allow", "allow_licenses", multiple=True, metavar="NAME", help='Only evidence under it: "CC BY".'
        ),
        click.option("--seed", type=int, help="For sampling (generation.temperature above 0)."),
        click.option("--config", type=click.Path(path_type=Path), help="YAML laid over configs/default.yaml."),
        click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="e.g. prompt.length=short"),
        click.option("--json", "as_json", is_flag=True, help="One record a line, as JSON."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@main.command()
@click.option("--image", "images", multiple=True, required=True, metavar="FILE", help="An image; may be repeated.")
@click.option("--article", help="The case or PMCID of the images; evidence from it is left out.")
@pipeline_options
def caption(images: tuple[str, ...], article: str | None, as_json: bool, **options: Any) -> None:
    """Describe images, with the evidence behind each description.

    \b
    python cli.py caption --image cell.png
    python cli.py caption --image a.png --image b.png --json > records.jsonl
    python cli.py caption --image ct.png --index data/indexes/medpix --prompt few_shot_passages --k 5
    """
    from rag.requests import caption_requests

    _describe(caption_requests(images, article), as_json, options)


@main.command()
@click.option("--image", "images", multiple=True, required=True, metavar="FILE", help="An image; may be repeated.")
@click.option("--question", help="What to answer about the images together.")
@click.option("--label", "labels", multiple=True, metavar="ANSWER", help="An answer to choose from; repeat it.")
@click.option("--chat", is_flag=True, help="Go on asking: a question a line, until an empty one.")
@click.option("--article", help="The case or PMCID of the images; evidence from it is left out.")
@pipeline_options
def ask(
    images: tuple[str, ...],
    question: str | None,
    labels: tuple[str, ...],
    chat: bool,
    article: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Answer a question about one or more images together, with evidence.

    With --label the answer is the likeliest of the labels, and the record says how likely each is.

    \b
    python cli.py ask --image smear.png --question "What kind of image is this?"
    python cli.py ask --image smear.png --question "Is this a blood smear?" --label yes --label no
    python cli.py ask --image before.png --image after.png --question "What changed?" --model smolvlm-500m
    python cli.py ask --image smear.png --chat
    """
    from rag.requests import ask_request

    if chat and labels:
        raise click.UsageError("--label chooses one answer, --chat goes on; give one of them")
    if question is None and not chat:
        raise click.UsageError("give --question, or --chat")
    if chat:
        _converse(ask_request(images, question or "?", article), _questions(question), as_json, options)
    else:
        _describe([ask_request(images, question or "", article, labels)], as_json, options)


@main.command()
@click.option("--image", "images", multiple=True, required=True, metavar="FILE", help="A document; may be repeated.")
@click.option("--schema", required=True, type=click.Path(path_type=Path), help="A file with a JSON Schema.")
@pipeline_options
def extract(images: tuple[str, ...], schema: Path, as_json: bool, **options: Any) -> None:
    """Copy the fields of document images into JSON that satisfies a JSON Schema.

    \b
    python cli.py extract --image prescription.png --schema medications.json --model qwen2-vl-2b
    python cli.py extract --image a.png --image b.png --schema report.json --json > records.jsonl
    """
    from rag.requests import extract_requests

    _describe(extract_requests(images, schema), as_json, options)


@main.command()
@click.argument("record", metavar="RECORD")
@click.option("--id", "only", help="The record with this id, of several.")
@click.option("--image", "images", multiple=True, metavar="FILE", help="Where its image lies now; repeat for several.")
@click.option("--recorded-evidence", is_flag=True, help="Search no index: take the evidence from the record.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="A setting other than the recorded one.")
@click.option("--json", "as_json", is_flag=True, help="One replay a line, as JSON.")
def replay(
    record: str, only: str | None, images: tuple[str, ...], recorded_evidence: bool, assignments: tuple[str, ...],
    as_json: bool,
) -> None:  # fmt: skip
    """Run descriptions again from their records, and say what is not the same.

    RECORD is what caption, ask or extract printed with --json; - is stdin. Exit code 0: the same; 1: different;
    2: cannot be run again.

    \b
    python cli.py caption --image cell.png --json > record.json
    python cli.py replay record.json
    python cli.py replay records.jsonl --id cell --set model.quantisation=int8
    """
    from rag.recorded import read_records
    from rag.replay import Replayer
    from rag.show import replay_text

    records = read_records(_text_of(record), record, only)
    replayer = Replayer(assignments, images, not recorded_evidence, tell=lambda line: click.echo(line, err=True))
    results = set()
    for replayed in replayer.run(records):
        click.echo(json.dumps(replayed.to_json(), ensure_ascii=False) if as_json else replay_text(replayed))
        results.add(replayed.result)
    sys.exit(0 if results == {"same"} else WRONG_REQUEST if results == {"impossible"} else SOME_FAILED)


@main.group()
def index() -> None:
    """Build, extend, search and check an index of captioned images and passages."""


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


def which_index(command: Command) -> Command:
    """An index, as an argument or by --index; without either, the starter index."""
    command = click.argument("folder", required=False)(command)
    return click.option("--index", "named", help="The same as FOLDER.")(command)


def _index_folder(folder: str | None, named: str | None) -> Path:
    from rag.starter import index_folder

    if folder and named and folder != named:
        raise click.UsageError("FOLDER and --index name two indexes; give one")
    return index_folder(folder or named, tell=lambda line: click.echo(line, err=True))


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


@main.group()
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


@main.group()
def prompts() -> None:
    """The prompt templates of configs/prompts."""


@prompts.command("list")
def prompts_list() -> None:
    """Name, version, task and purpose of each template."""
    from rag.prompts import list_templates
    from rag.show import template_line

    for template in list_templates():
        click.echo(template_line(template))


@prompts.command("show")
@click.argument("name")
def prompts_show(name: str) -> None:
    """A template as it is written, its variables in triple braces.

    \b
    python cli.py prompts show few_shot
    """
    from rag.prompts import PromptTemplate
    from rag.show import template_text

    click.echo(template_text(PromptTemplate.load(name)))


@main.group()
def models() -> None:
    """What models there are, what they cost, and what fits."""


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="One model a line, as JSON.")
def models_list(as_json: bool) -> None:
    """Name, family, parameters and licence of each model, and the command that fetches it where it is not here.

    \b
    python cli.py models list
    """
    from vlm import list_models
    from vlm.cost.tables import entry_json, models_table

    entries = list_models()
    click.echo("\n".join(json.dumps(entry_json(entry)) for entry in entries) if as_json else models_table(entries))


@models.command("pull")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Take the licence as read, and do not ask.")
def models_pull(name: str, yes: bool) -> None:
    """Fetch a model's files at its pinned revision.

    A transfer that breaks off goes on where it was; a fetch that was stopped keeps the files that are whole.

    \b
    python cli.py models pull smolvlm-500m
    python cli.py models pull qwen2-vl-2b --yes
    """
    from vlm.pull import plan

    planned = plan(name)
    click.echo(planned.notice(), err=True)
    if not (planned.here or yes):
        if not sys.stdin.isatty():
            raise click.UsageError("nobody to ask whether the licence is agreed to: add --yes")
        click.confirm("Fetch it under this licence?", abort=True, err=True)
    click.echo(planned.fetch())


def comma_separated(kind: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, str], tuple[Any, ...]]:
    """An option's `a,b,c` as a tuple, each made by `kind`."""

    def split(_: click.Context, __: click.Parameter, value: str) -> tuple[Any, ...]:
        try:
            return tuple(kind(part.strip()) for part in value.split(","))
        except ValueError as error:
            raise click.BadParameter(f"{value!r} is no list like 1,4,16") from error

    return split


@models.command("bench")
@click.option("--model", required=True, help="A model of configs/models, by name, or a YAML file.")
@click.option("--quant", default="none", show_default=True, callback=comma_separated(str), help="none,int8,nf4")
@click.option("--batch", default="1", show_default=True, callback=comma_separated(int), help="Batch sizes: 1,4,16")
@click.option("--prompt-tokens", type=click.IntRange(1), default=256, show_default=True, help="Of text, a prompt.")
@click.option("--new-tokens", type=click.IntRange(1), default=32, show_default=True, help="Written for each prompt.")
@click.option("--runs", type=click.IntRange(1), default=3, show_default=True, help="Of each batch, after a first one.")
@click.option("--random-weights", is_flag=True, help="Measure the true architecture without its files.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for bench.json, .md and .png.")
@click.option("--json", "as_json", is_flag=True, help="Print what bench.json holds.")
def models_bench(quant: tuple[str, ...], batch: tuple[int, ...], out: Path, as_json: bool, **options: Any) -> None:
    """Measure memory, latency and throughput of a model, each quantisation and batch in a fresh process.

    \b
    python cli.py models bench --model pocket --quant none,int8,nf4 --batch 1,4 --out runs/bench-pocket
    python cli.py models bench --model smolvlm-256m --random-weights --quant none,nf4 --out runs/bench-smolvlm
    """
    from vlm.cost.bench import Plan, bench

    plan = Plan(quantisations=quant, batches=batch, out=out, **options)
    results = bench(plan, tell=lambda line: click.echo(line, err=True))
    click.echo(json.dumps(results) if as_json else (out / "bench.md").read_text(encoding="utf-8").rstrip())
    done = [timed for row in results["measured"] for timed in row["speed"]]
    failed = sum("error" in timed for timed in done)
    sys.exit(0 if not failed else SOME_FAILED if failed < len(done) else WRONG_REQUEST)


@models.command("recommend")
@click.option("--vram", type=float, required=True, metavar="GIB", help="Memory of the GPU, in GiB.")
@click.option("--json", "as_json", is_flag=True, help="One model and quantisation a line, as JSON.")
def models_recommend(vram: float, as_json: bool) -> None:
    """Which models fit a GPU, in which quantisation, to describe and to tune: by arithmetic.

    \b
    python cli.py models recommend --vram 16
    """
    from vlm.cost.recommend import recommend
    from vlm.cost.tables import recommend_table

    found = recommend(vram)
    lines = [json.dumps(asdict(one)) for one in found] if as_json else [recommend_table(found, vram)]
    click.echo("\n".join(lines))


@main.group()
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
    from evaluation import retrieval, show

    images = _evaluation_set(options)
    folder = out or Path("runs") / f"retrieval-{images.name}"
    results = retrieval.evaluate_retrieval(_settings(options), images, ks, folder, tell=_to_stderr)
    for file in retrieval.write(results, folder):
        _to_stderr(f"wrote {file}")
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
    from evaluation import calibrate, show

    images = _evaluation_set(options)
    found = calibrate.calibrate(_settings(options), images, _to_stderr, coverage or calibrate.REPORTED, risk)
    for file in calibrate.write(found, out):
        _to_stderr(f"wrote {file}")
    click.echo(json.dumps(found.to_json()) if as_json else show.calibration_text(found))
    sys.exit(SOME_FAILED if found.failures else 0)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def doctor(as_json: bool) -> None:
    """What this machine can run, and what is missing with the command that mends it.

    \b
    python cli.py doctor
    """
    from installed import bare_report

    bare = bare_report()
    if bare:  # without its packages the rest of the program cannot look at anything
        sys.exit("\n".join(bare))
    from rag.doctor import examine

    findings = examine()
    if as_json:
        click.echo(json.dumps([finding.to_json() for finding in findings]))
    else:
        for finding in findings:
            click.echo(finding.as_text())
    sys.exit(SOME_FAILED if any(finding.state == "broken" for finding in findings) else 0)


def _settings(options: dict[str, Any]) -> Settings:
    from rag.config import resolve

    return resolve(
        options["config"],
        options["assignments"],
        model__name=options["model"],
        model__adapter=options["adapter"],
        retrieval__index=options["index"],
        retrieval__enabled=False if options["no_rag"] else None,
        retrieval__k=options["k"],
        retrieval__only__allow_licenses=list(options["allow_licenses"]) or None,
        prompt__template=options["prompt"],
        generation__seed=options["seed"],
    )


def _evaluation_set(options: dict[str, Any]) -> EvaluationSet:
    """The set that one --set names; the others, KEY=VALUE, stay settings."""
    from evaluation.sets import read_set

    given = options["assignments"]
    named = [value for value in given if "=" not in value or Path(value).exists()]
    if len(named) != 1:
        raise click.UsageError("name one set of images: --set FOLDER, --set records.jsonl or --set NAME (configs/sets)")
    options["assignments"] = tuple(value for value in given if value not in named)
    return read_set(named[0], options["where"], options["fields"], options["truth"], options["content"])


def _to_stderr(line: str) -> None:
    click.echo(line, err=True)


def _describe(requests: list[Request], as_json: bool, options: dict[str, Any]) -> None:
    """Runs the requests as one batch; records to stdout in the order asked, failures to stderr as they come."""
    from rag import open_pipeline
    from rag.show import as_text
    from rag.types import Failure

    pipeline = open_pipeline(_settings(options), requests, tell=lambda line: click.echo(line, err=True))
    records, failed = {}, 0
    for outcome in pipeline.run(requests):
        if isinstance(outcome, Failure):
            click.echo(f"error: {outcome.reason}", err=True)
            failed += 1
        else:
            records[outcome.request.id] = outcome
    for request in requests:
        if request.id in records:
            record = records[request.id]
            click.echo(json.dumps(record.to_json(), ensure_ascii=False) if as_json else as_text(record))
    if failed:
        sys.exit(SOME_FAILED if records else WRONG_REQUEST)


def _text_of(file: str) -> str:
    """The text of a file, or of stdin for `-`."""
    if file == "-":
        return sys.stdin.read()
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{file} cannot be read: {error}") from error


def _questions(first: str | None) -> Iterator[str]:
    """The first question, where it was given, then one a line of stdin until an empty one."""
    if first is not None:
        yield first
    asking = sys.stdin.isatty()
    while True:
        if asking:
            click.echo("? ", nl=False, err=True)
        line = sys.stdin.readline().strip()
        if not line:
            return
        yield line


def _converse(first: Request, questions: Iterable[str], as_json: bool, options: dict[str, Any]) -> None:
    """Answers the questions as they come; what cannot be answered is told, and the conversation goes on."""
    from rag import open_pipeline
    from rag.conversation import converse
    from rag.show import as_text
    from rag.types import Failure

    pipeline = open_pipeline(_settings(options), [first], tell=lambda line: click.echo(line, err=True))
    answered = failed = 0
    for outcome in converse(pipeline, first, questions):
        if isinstance(outcome, Failure):
            click.echo(f"error: {outcome.reason}", err=True)
            failed += 1
        else:
            click.echo(json.dumps(outcome.to_json(), ensure_ascii=False) if as_json else as_text(outcome))
            answered += 1
    if failed:
        sys.exit(SOME_FAILED if answered else WRONG_REQUEST)


def _report_build(report: BuildReport) -> None:
    click.echo("\n".join(report.lines()))
    sys.exit(SOME_FAILED if report.failures else 0)


def program() -> None:
    """Runs `main` and leaves at once: Python's own way out takes apart every object of torch, for over a second."""
    try:
        main()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(end.code or 0)
        raise


if __name__ == "__main__":
    program()
