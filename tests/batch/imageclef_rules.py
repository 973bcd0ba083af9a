"""The rules by which ImageCLEFmedical Caption takes or refuses a file, written anew after its published check (2026).

It looks at a file twice, as lines and as CSV, and takes them to be the same rows. What is written here does not use the
program's own reader or writer.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path


def refusals(submission: Path, truth: Path) -> list[str]:
    """Why the task refuses a file; nothing where it takes it."""
    try:
        text = submission.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return ["not in UTF-8"]
    lines = text.splitlines()
    found = ["blank line" for line in lines[1:] if not line.strip()]
    rows = list(csv.reader(io.StringIO(text, newline="")))
    if not rows or rows[0] != ["ID", "Caption"]:
        return [*found, "header"]
    if len(rows) != len(lines):
        found.append("a row over several lines")
    found += ["not two columns" for row in rows[1:] if len(row) != 2]
    for line in lines[1:]:
        caption = line.partition(",")[2]
        if "," in caption and not (caption.startswith('"') and caption.endswith('"')):
            found.append("comma without quotes")
    ids = [row[0] for row in rows[1:] if row]
    found += ["space around an id" for id_ in ids if id_ != id_.strip()]
    expected = [row[0].strip() for row in csv.reader(io.StringIO(truth.read_text("utf-8"), newline="")) if row][1:]
    if ids != expected:
        found.append("ids or their order")
    return found
