"""Train an adapter."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands.common import SOME_FAILED, to_stderr

if TYPE_CHECKING:
    from finetune.train import Trained


@click.command("run")
@click.argument("config")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run.  [default: runs/finetune/NAME-HASH]")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="e.g. training.epochs=1")
@click.option("--dry-run", is_flag=True, help="Say what it would do and take, and do nothing of it.")
@click.option("--json", "as_json", is_flag=True, help="The figures, or the plan, as JSON.")
def run_command(config: str, out: Path | None, assignments: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Train what CONFIG, a name of configs/finetune or a YAML file, describes. Run it again and it goes on.

    The adapter that did best on dev is in FOLDER/adapter, beside the curve, the figures, and what made them. Another
    configuration, or other data, makes a run of its own.

    \b
    python cli.py finetune run smolvlm-rocov2 --dry-run
    python cli.py finetune run smolvlm-rocov2 --set training.epochs=1
    python cli.py caption --image scan.png --model smolvlm-500m --adapter runs/finetune/smolvlm-rocov2-1a2b3c4d
    accelerate launch --num_processes 2 cli.py finetune run qwen2-vl-rocov2
    """
    from batch.stopping import Stop
    from finetune.config import load_finetune_config

    resolved = load_finetune_config(config, assignments)
    from finetune import train

    if dry_run:
        plan = train.plan(resolved, out, to_stderr)
        click.echo(json.dumps(plan.to_json(), ensure_ascii=False) if as_json else plan.text())
        return
    stop = Stop()
    with stop.by_signals(to_stderr):
        trained = train.train(resolved, out, to_stderr, stop)
    if trained.stopped_at is not None:
        to_stderr(f"stopped at step {trained.stopped_at}, which is saved. The same command goes on: {trained.folder}")
        sys.exit(SOME_FAILED)
    if trained.result:  # the first of several processes speaks for all
        click.echo(json.dumps(trained.result, ensure_ascii=False) if as_json else _text(trained, resolved.model))


def _text(trained: Trained, model: str) -> str:
    """The figures, and the command that uses what was made."""
    result: dict[str, Any] = trained.result or {}
    before, after = result["before"], result["after"]
    lines = [f"{trained.folder}: {result['steps']} steps, kept is step {result['best_step']}"]
    for name, value in after.items():
        was = f"{before[name]:.4f}" if name in before else "-"
        lines.append(f"dev {name}: {was} before, {value:.4f} after")
    use = f"--set model.path={result['adapter']}" if result["method"] == "full" else f"--adapter {result['adapter']}"
    return "\n".join([*lines, f"use it: python cli.py caption --image IMAGE --model {model} {use}"])
