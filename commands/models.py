"""What models there are, fetch and measure them."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from commands.common import SOME_FAILED, WRONG_REQUEST, comma_separated, to_stderr


@click.group()
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
    results = bench(plan, tell=to_stderr)
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
