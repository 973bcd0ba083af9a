"""Look at prompt templates."""

from __future__ import annotations

import click


@click.group()
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
