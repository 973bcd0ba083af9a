"""Texts and tables of what models there are and what they cost. Knows nothing of how that was found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vlm.catalogue import ModelEntry

if TYPE_CHECKING:
    from vlm.cost.recommend import Recommendation


def entry_json(entry: ModelEntry) -> dict[str, Any]:
    """A model as JSON: what it is, under which licence, and how to get it."""
    config = entry.config
    return {
        "name": config.name,
        "family": config.family,
        "parameters": config.parameters,
        "license": config.license,
        "on_this_machine": entry.on_this_machine,
        "source": config.source,
        "get": None if entry.on_this_machine or config.server is not None else config.get_command,
    }


def models_table(entries: Sequence[ModelEntry]) -> str:
    """The models, a line each."""
    rows = [("model", "family", "parameters", "licence", "here")]
    for entry in entries:
        config = entry.config
        size = "-" if config.parameters is None else f"{config.parameters / 1e6:,.0f} M"
        here = "its server's" if config.server is not None else "yes" if entry.on_this_machine else config.get_command
        rows.append((config.name, config.family, size, config.license, here))
    return _aligned(rows)


def recommend_table(found: Sequence[Recommendation], vram_gib: float) -> str:
    """What fits into `vram_gib`, a line each, and how that was reckoned."""
    rows = [("model", "quantisation", "describing GiB", "fits", "tuning GiB", "fits", "licence")]
    for one in found:
        tuning = ("-", "-") if one.tuning_gib is None else (f"{one.tuning_gib:.1f}", _yes(one.tuning_fits))
        rows.append(
            (one.model, one.quantisation, f"{one.describing_gib:.1f}", _yes(one.describing_fits), *tuning, one.license)
        )
    return (
        f"{_aligned(rows)}\n\nInto {vram_gib:g} GiB, by arithmetic, not measured: one image and its evidence "
        f"described; LoRA (none) or QLoRA (nf4) tuned with batches of one.\nEach term: docs/models.md"
    )


def bench_page(results: dict[str, Any]) -> str:
    """bench.md: the recipe, memory, speed, and what a GPU would have shown."""
    recipe, rows = results["recipe"], results["measured"]
    on = recipe["machine"]
    lines = [
        f"# {results['model']}: {results['parameters']:,} parameters, {results['weights']} weights",
        "",
        f"`{recipe['command']}`, {recipe['date']}; {on['cores']} cores of {on['cpu']}, {on['memory_gib']} GiB; "
        + ", ".join(f"{name} {version}" for name, version in recipe["versions"].items())
        + ".",
        f"{results['prompt_tokens']} tokens of text, one image of noise, {results['new_tokens']} new tokens.",
        "",
        "| quantisation | device | dtype | reckoned MiB | held MiB | after load | after use | of it mapped "
        "| loading peak | load s |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(_memory_line(row) for row in rows),
        "",
        "| quantisation | batch | tokens read | p50 s | p95 s | tokens/s | images/s | times one by one | peak MiB "
        "| reckoned |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(line for row in rows for line in _speed_lines(row)),
        "",
        *gpu_lines(rows),
    ]
    return "\n".join(lines) + "\n"


def gpu_lines(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The memory that quantising saves on a GPU, beside the arithmetic; or that there was none to measure on."""
    done = [row for row in rows if "error" not in row and row["device"] != "cpu"]
    full = next((row for row in done if row["quantisation"] == "none"), None)
    if full is None:
        return ["GPU: not measured."]
    lines = ["| on the GPU | below 16 bits, reckoned | measured | points apart |", "|---|---|---|---|"]
    for row in done:
        reckoned, measured = (100 * (1 - row[key] / full[key]) for key in ("reckoned_mib", "after_load_mib"))
        lines.append(
            f"| {row['quantisation']} | {reckoned:.1f} % | {measured:.1f} % | {abs(reckoned - measured):.1f} |"
        )
    return lines


def _memory_line(row: dict[str, Any]) -> str:
    if "error" in row:
        return f"| {row['quantisation']} | failed: {row['error']} | | {row['reckoned_mib']:,} | | | | | | |"
    keys = ("reckoned_mib", "held_mib", "after_load_mib", "after_use_mib", "mapped_mib", "loading_peak_mib", "load_s")
    cells = [row["quantisation"], row["device"], row["dtype"], *(f"{row[key]:,.1f}" for key in keys)]
    return f"| {' | '.join(cells)} |"


def _speed_lines(row: dict[str, Any]) -> list[str]:
    lines = []
    alone = next((b for b in row.get("speed", []) if b["batch"] == 1 and "error" not in b), None)
    for batch in row.get("speed", []):
        start = f"| {row['quantisation']} | {batch['batch']} |"
        if "error" in batch:
            lines.append(f"{start} {batch['error']} | | | | | | | |")
            continue
        times = "-" if alone is None else f"{batch['tokens_per_s'] / alone['tokens_per_s']:.2f}"
        images = "-" if batch["images_per_s"] is None else f"{batch['images_per_s']:.3f}"
        lines.append(
            f"{start} {batch['prompt_tokens']:,} | {batch['p50_s']:.3f} | {batch['p95_s']:.3f} | "
            f"{batch['tokens_per_s']:.2f} | {images} | {times} | {batch['peak_mib']:,.0f} | "
            f"{batch['reckoned_peak_mib']:,.0f} |"
        )
    return lines


def _yes(fits: bool) -> str:
    return "yes" if fits else "no"


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
