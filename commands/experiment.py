"""A/B experiments, and the search for a better prompt."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from commands.common import SOME_FAILED, Command, to_stderr, with_options


@click.group()
def experiment() -> None:
    """Which prompt, model or setting is better: arms over the same images, and what may be said of them."""


def experiment_options(command: Command) -> Command:
    """Which experiment, and where it goes."""
    return with_options(
        click.argument("config"),
        click.option("--out", type=click.Path(path_type=Path), help="Folder; runs/... by the name where not given."),
        click.option("--json", "as_json", is_flag=True, help="What results.json holds."),
    )(command)


@experiment.command("run")
@experiment_options
def experiment_run(config: str, out: Path | None, as_json: bool) -> None:
    """Describe the same images in every arm of CONFIG, and compare: a file, or a name of configs/experiments.

    Each arm is a run in OUT/arms; figures, comparisons, verdicts and costs are in OUT/results.json. Run it again and it
    goes on; with another configuration it refuses, and names the difference.

    \b
    python cli.py experiment run pocket_prompts
    python cli.py experiment run my.yaml --out runs/mine --json
    """
    from evaluation.experiments import results, run, show

    found, folder = run.run_experiment(config, out, to_stderr)
    to_stderr(f"wrote {results.write(found, folder)}")
    click.echo(json.dumps(found.to_json()) if as_json else show.text(found))
    sys.exit(SOME_FAILED if found.left_out else 0)


@experiment.command("search")
@experiment_options
def experiment_search(config: str, out: Path | None, as_json: bool) -> None:
    """Search for a better wording of a prompt, as CONFIG says: a file, or a name of configs/experiments.

    Wordings come from choices or from a text model. The worse ones go round by round; the winner is held against the
    prompt it was made from, on articles that nothing was chosen by, and written as a template to OUT.

    \b
    python cli.py experiment search search_pocket
    python cli.py caption --image ct.png --prompt runs/search-search_pocket/few_shot_searched.yaml
    """
    from evaluation.experiments import search, search_show

    found, folder = search.search(config, out, to_stderr)
    for file in search_show.write(found, folder):
        to_stderr(f"wrote {file}")
    click.echo(json.dumps(search_show.to_json(found)) if as_json else search_show.text(found))
