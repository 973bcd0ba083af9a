"""Look at prompt templates."""

from __future__ import annotations

from pathlib import Path

import click

from commands.common import Command


def runs_option(command: Command) -> Command:
    """Where earlier versions of templates are looked for."""
    return click.option(
        "--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True,
        help="Folder of runs, which keep the versions they used.",
    )(command)  # fmt: skip


@click.group()
def prompts() -> None:
    """The prompt templates of configs/prompts."""


@prompts.command("list")
def prompts_list() -> None:
    """Version (NAME@HASH), task, purpose and parent of each template."""
    from rag.prompts import list_templates
    from rag.show import template_line

    for template in list_templates():
        click.echo(template_line(template))


@prompts.command("show")
@click.argument("name")
@runs_option
def prompts_show(name: str, runs: Path) -> None:
    """A template as it is written, its variables in triple braces. NAME, NAME@HASH or a file.

    \b
    python cli.py prompts show few_shot
    python cli.py prompts show few_shot@15bcb8f1 --runs runs/winter
    """
    from rag.prompt_versions import find_version
    from rag.show import template_text

    click.echo(template_text(find_version(name, runs)))


@prompts.command("diff")
@click.argument("first")
@click.argument("second")
@runs_option
def prompts_diff(first: str, second: str, runs: Path) -> None:
    """What SECOND says otherwise than FIRST. Each is NAME, NAME@HASH or a file.

    An earlier version is found where a run under --runs used it.

    \b
    python cli.py prompts diff zero_shot few_shot
    python cli.py prompts diff few_shot@15bcb8f1 few_shot
    """
    from rag.prompt_versions import find_version
    from rag.show import template_difference

    click.echo(template_difference(find_version(first, runs), find_version(second, runs)))
