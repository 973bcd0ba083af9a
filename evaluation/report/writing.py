"""A report as text in one of three forms."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from evaluation.report.data import to_json
from evaluation.report.document import Document
from evaluation.report.html import to_html
from evaluation.report.markdown import to_markdown


def write(document: Document, form: str) -> str:
    """The text of a report as `html`, `md` or `json`."""
    return FORMS[form](document)


def default_file(results: Path, form: str) -> Path:
    """Where a report is written if nobody says: in the folder that it is of, or beside the file."""
    return results / f"report.{form}" if results.is_dir() else results.with_name(f"{results.stem}-report.{form}")


def _json(document: Document) -> str:
    return json.dumps(to_json(document), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


FORMS: Mapping[str, Callable[[Document], str]] = {"html": to_html, "md": to_markdown, "json": _json}
