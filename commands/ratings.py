"""People's judgement: make a task, rate it, hand it out and take it back, see what came of it, make data of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands.common import to_stderr

if TYPE_CHECKING:
    from evaluation.ratings.form import Form

FORMATS = click.Choice(["csv", "label-studio", "argilla"])
FILE = click.argument("file", type=click.Path(path_type=Path))


@click.group()
def ratings() -> None:
    """What people think of descriptions: tasks, agreement, strengths, data to tune on."""


@ratings.command("make")
@click.option("--run", "runs", multiple=True, required=True, metavar="[NAME=]DIR", help="A run; an arm each.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="File of the task.")
@click.option("--items", default=500, show_default=True, type=click.IntRange(1), help="How many texts, or pairs.")
@click.option("--pairwise", is_flag=True, help="Which of two texts is better; else scores of 1 to 5 for each text.")
@click.option("--gold", type=click.Path(path_type=Path), help="JSONL of items whose right answer is known.")
@click.option(
    "--repeat", default=0.05, show_default=True, type=click.FloatRange(0, 1), help="Share that is shown twice."
)
@click.option("--per-rater", type=click.IntRange(1), help="Items for each rater.  [default: all]")
@click.option(
    "--evidence",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "show", "hide"]),
    help="Whether raters can look at it; auto hides it where it would tell runs with from runs without.",
)
@click.option("--seed", default=0, show_default=True, help="Of the sample, the sides and the orders.")
def ratings_make(runs: tuple[str, ...], out: Path, **options: Any) -> None:
    """A task from the descriptions of one or more runs: the same images for every arm, the arms hidden.

    \b
    python cli.py ratings make --run runs/a --run runs/b --pairwise --out runs/ab.sqlite
    python cli.py ratings make --run tuned=runs/a --items 200 --gold gold.jsonl --out runs/single.sqlite
    """
    from evaluation.ratings.gold import read_gold
    from evaluation.ratings.making import Sample, make_task
    from evaluation.ratings.types import Kind
    from evaluation.runs import read_run

    kind: Kind = "pairwise" if options["pairwise"] else "single"
    arms = _arms(runs)
    gold = read_gold(options["gold"], kind) if options["gold"] else []
    sample = Sample(options["items"], options["seed"], options["repeat"], options["per_rater"], options["evidence"])
    made = make_task({name: read_run(folder) for name, folder in arms.items()}, out, kind, sample, gold)
    for why, count in made.left_out.items():
        to_stderr(f"left out: {count} images, {why}")
    to_stderr(f"wrote {out}. Rate it: python cli.py rate {out} --rater NAME")


@ratings.command("export")
@FILE
@click.option("--format", "format_", type=FORMATS, default="csv", show_default=True)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="File to write.")
def ratings_export(file: Path, format_: str, out: Path) -> None:
    """All items and ratings, without the arms. For Label Studio, the labelling interface beside it (.xml).

    \b
    python cli.py ratings export runs/ab.sqlite --format label-studio --out runs/ab.json
    """
    from evaluation.ratings.exchange import export

    for written in export(file, out, format_):
        to_stderr(f"wrote {written}")


@ratings.command("import")
@FILE
@click.argument("given", type=click.Path(path_type=Path))
@click.option("--format", "format_", type=FORMATS, default="csv", show_default=True)
@click.option("--replace", is_flag=True, help="Let answers of GIVEN take the place of other answers in FILE.")
def ratings_import(file: Path, given: Path, format_: str, replace: bool) -> None:
    """The ratings of GIVEN into the task FILE: all of them or, where a line is wrong, none.

    \b
    python cli.py ratings import runs/ab.sqlite ab-rated.json --format label-studio
    """
    from evaluation.ratings.exchange import import_

    done = import_(file, given, format_, replace)
    click.echo(f"{done.new} new, {done.same} there already, {done.replaced} replaced")


@ratings.command("show")
@FILE
@click.option("--json", "as_json", is_flag=True, help="All figures, as JSON.")
def ratings_show(file: Path, as_json: bool) -> None:
    """Who rated what and how well, how far raters agree, and what each arm got.

    \b
    python cli.py ratings show runs/ab.sqlite
    """
    from evaluation.ratings.show import summary, summary_text
    from evaluation.ratings.store import read_ratings

    found = summary(read_ratings(file))
    click.echo(json.dumps(found.to_json(), ensure_ascii=False) if as_json else summary_text(found))


@ratings.command("to-dataset")
@FILE
@click.option(
    "--kind", required=True, type=click.Choice(["sft", "preference"]), help="Good texts, or better and worse."
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="JSONL to write.")
@click.option("--least", default=4.0, show_default=True, help="A text is good from this mean on, in all questions.")
@click.option("--margin", default=1.0, show_default=True, help="Of two rated texts one is better from this difference.")
@click.option("--prompt", help="A template of configs/prompts.  [default: zero_shot; question where one was asked]")
def ratings_to_dataset(file: Path, kind: str, out: Path, least: float, margin: float, prompt: str | None) -> None:
    """Ratings and edits as a fine-tuning set or as preferences, in the form that TRL reads.

    \b
    python cli.py ratings to-dataset runs/single.sqlite --kind sft --out runs/sft.jsonl
    """
    from evaluation.ratings.dataset import Rules, write

    count = write(file, out, kind, Rules(least, margin, prompt))
    to_stderr(f"wrote {out}: {count} examples")


@click.command()
@FILE
@click.option("--rater", required=True, help="Your name, or what you are called here; the same each time.")
def rate(file: Path, rater: str) -> None:
    """Rate descriptions in the terminal. Leave with q and come back any time: it goes on where you were.

    \b
    python cli.py rate runs/ab.sqlite --rater anna
    """
    from evaluation.ratings.form import Form
    from evaluation.ratings.session import Session
    from evaluation.ratings.store import Store

    with Store.open(file) as store:
        _work(Form(Session(store, rater)))
    to_stderr("Your ratings are kept.")


def _work(form: Form) -> None:
    """Draws the form and does what keys ask for, until one asks to leave."""
    preview = False
    while True:
        click.clear()
        click.echo(form.screen(_width(), _preview(form) if preview else ""), nl=False)
        for key in _keys():
            effect = "preview" if key == "p" else form.press(key)
            if effect == "quit":
                return
            if effect == "preview":
                preview = not preview
            elif effect == "open":
                click.launch(form.page.image)
            elif effect == "comment":
                form.comment(_line("comment: ", form.commented))
                break  # what came with the key is no answer
            elif effect == "edit":
                form.edit(_line("the text as it should be:\n", form.edited))
                break


def _arms(runs: tuple[str, ...]) -> dict[str, Path]:
    """Name -> folder; the folder's name where none is given."""
    arms: dict[str, Path] = {}
    for given in runs:
        name, equals, folder = given.partition("=")
        path = Path(folder) if equals and not Path(given).is_dir() else Path(given)
        name = name if path != Path(given) else path.resolve().name
        if name in arms:
            raise click.UsageError(f"two runs are called {name!r}: name one, --run NAME={given}")
        arms[name] = path
    return arms


def _keys() -> Sequence[str]:
    """The next key, or those that were typed together; q where there are no more of them."""
    if not sys.stdin.isatty():
        return sys.stdin.read(1) or "q"
    typed = click.getchar()
    return [typed] if typed.startswith("\x1b") else typed  # an arrow is one key


def _line(asked: str, before: str) -> str:
    """A line from the keyboard, with `before` there to be changed where the terminal can do so."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    import readline

    readline.set_startup_hook(lambda: readline.insert_text(" ".join(before.split())))
    try:
        return input(asked)
    except EOFError:
        return before
    finally:
        readline.set_startup_hook(None)


def _width() -> int:
    import shutil

    return shutil.get_terminal_size().columns


def _preview(form: Form) -> str:
    from evaluation.ratings.preview import preview
    from imaging import ImageError

    if form.finished:
        return ""
    try:
        return preview(form.page.image, _width())
    except ImageError as error:
        return f"(no preview: {error})"
