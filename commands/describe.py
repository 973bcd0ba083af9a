"""Describe images, answer questions about them, copy out fields, and do it again from a record."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands.common import SOME_FAILED, WRONG_REQUEST, pipeline_options, settings, to_stderr

if TYPE_CHECKING:
    from rag.types import Request


@click.command()
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


@click.command()
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


@click.command()
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


@click.command()
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
    replayer = Replayer(assignments, images, not recorded_evidence, tell=to_stderr)
    results = set()
    for replayed in replayer.run(records):
        click.echo(json.dumps(replayed.to_json(), ensure_ascii=False) if as_json else replay_text(replayed))
        results.add(replayed.result)
    sys.exit(0 if results == {"same"} else WRONG_REQUEST if results == {"impossible"} else SOME_FAILED)


def _describe(requests: list[Request], as_json: bool, options: dict[str, Any]) -> None:
    """Runs the requests as one batch; records to stdout in the order asked, failures to stderr as they come."""
    from rag import open_pipeline
    from rag.show import as_text
    from rag.types import Failure

    pipeline = open_pipeline(settings(options), requests, tell=to_stderr)
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

    pipeline = open_pipeline(settings(options), [first], tell=to_stderr)
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
