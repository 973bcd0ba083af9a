"""Figures and verdicts as they are written out."""

from __future__ import annotations

import math

from evaluation.report.document import Blank, Cell, Column, Line
from evaluation.statistics.intervals import Estimate
from evaluation.statistics.verdicts import ALPHA

SIGNS = {"better": "▲", "worse": "▼", "equivalent": "=", "inconclusive": "?"}
"""Beside the word of a verdict, so that it is found at a glance without colour."""


def number(value: float, decimals: int = 3) -> str:
    """`1,234.568`, with a true minus sign."""
    text = f"{value:,.{decimals}f}"
    if float(text.replace(",", "")) == 0:
        text = text.replace("-", "")
    return text.replace("-", "\N{MINUS SIGN}")


def signed(value: float, decimals: int = 3) -> str:
    """`+0.021`."""
    text = number(value, decimals)
    return text if text.startswith("\N{MINUS SIGN}") or not float(text.replace(",", "")) else f"+{text}"


def ends(one: Estimate, decimals: int = 3) -> str:
    """`0.004 to 0.037`; empty where there is no interval."""
    if one.low is None or one.high is None or math.isnan(one.low) or math.isnan(one.high):
        return ""
    return f"{number(one.low, decimals)} to {number(one.high, decimals)}"


def estimate(one: Estimate, decimals: int = 3) -> str:
    """`0.021 (95 % interval 0.004 to 0.037)`."""
    between = ends(one, decimals)
    return number(one.value, decimals) + (f" (95 % interval {between})" if between else "")


def probability(p: float) -> str:
    """`p = 0.012`, `p < 0.001`."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def percent(share: float) -> str:
    """`80 %`."""
    return f"{number(100 * share, 0)} %"


def cell(value: Cell, column: Column) -> tuple[str, str]:
    """A cell's text and, in small under it, its interval, p or reason, a line each."""
    match value:
        case Blank():
            return "not measured" if value.reason else "-", value.reason
        case Estimate():
            if math.isnan(value.value):
                return "-", ""
            star = " *" if value.p is not None and value.p < ALPHA else ""
            small = [ends(value, column.decimals), "" if value.p is None else probability(value.p)]
            return number(value.value, column.decimals) + star, ";\n".join(part for part in small if part)
        case bool():
            return ("yes" if value else "no"), ""
        case int():
            return number(value, 0), ""
        case float() if column.p:
            return ("< 0.001" if value < 0.001 else f"{value:.2g}"), ""
        case float():
            return ("-" if math.isnan(value) else number(value, column.decimals)), ""
        case _:
            return value, ""


def blank_line(line: Line) -> str:
    """Why a row has no figure at all; empty where it has one, or nobody said why."""
    cells = list(line.cells)
    if not all(isinstance(value, Blank) for value in cells):
        return ""
    return next((value.reason for value in cells if isinstance(value, Blank) and value.reason), "")


def listed(names: list[str]) -> str:
    """`a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


def counted(count: int, noun: str) -> str:
    """`1 image`, `48 images`."""
    return f"{number(count, 0)} {noun if count == 1 else noun + 's'}"
