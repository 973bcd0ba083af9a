"""Options that mean the same have the same name everywhere: they are written once, here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rag.config import Settings

Command = TypeVar("Command", bound=Callable[..., Any])

SOME_FAILED, WRONG_REQUEST = 1, 2
"""Exit codes besides 0: some inputs failed and the rest is done; the request itself is wrong."""


def with_options(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several options as one decorator; --help has them in this order."""

    def decorated(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorated


def pipeline_options(command: Command) -> Command:
    """The options that mean the same wherever something is described."""
    return with_options(
        run_options, click.option("--json", "as_json", is_flag=True, help="One record a line, as JSON.")
    )(command)


def run_options(command: Command) -> Command:
    """The same, but how it is printed."""
    return with_options(
        click.option("--index", help="Folder of an index, or `starter` (the default), built at first use."),
        click.option("--model", help="A model of configs/models, by name."),
        click.option(
            "--adapter", type=click.Path(path_type=Path), help="Folder of an adapter, or of its training run."
        ),
        click.option("--prompt", help="A template of configs/prompts, by name, or a YAML file."),
        click.option("--k", type=click.IntRange(1, 50), help="How many examples, and how many passages."),
        click.option("--no-rag", is_flag=True, help="Describe from the image alone, without evidence."),
        click.option(
            "--license-allow", "allow_licenses", multiple=True, metavar="NAME", help='Only evidence under it: "CC BY".'
        ),
        click.option("--seed", type=int, help="For sampling (generation.temperature above 0)."),
        click.option("--config", type=click.Path(path_type=Path), help="YAML laid over configs/default.yaml."),
        click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="e.g. prompt.length=short"),
    )(command)


def comma_separated(kind: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, str], tuple[Any, ...]]:
    """An option's `a,b,c` as a tuple, each made by `kind`."""

    def split(_: click.Context, __: click.Parameter, value: str) -> tuple[Any, ...]:
        try:
            return tuple(kind(part.strip()) for part in value.split(","))
        except ValueError as error:
            raise click.BadParameter(f"{value!r} is no list like 1,4,16") from error

    return split


def settings(options: dict[str, Any]) -> Settings:
    """What `run_options` ask for, laid over the configuration. Raises ConfigError."""
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


def to_stderr(line: str) -> None:
    """Tells what is no data."""
    click.echo(line, err=True)
