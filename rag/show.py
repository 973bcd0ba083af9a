"""Descriptions and evidence as people read them in a terminal."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Sequence
from unicodedata import category

from indexer import IndexInfo
from indexer.types import Evidence
from rag.attribution import LicenseUse, caution
from rag.judging import Replay
from rag.prompt_versions import difference, parent_of
from rag.prompts import PromptTemplate
from rag.types import Description, Sentence, Tokens

MAX_WIDTH = 110
MAX_TEXT_LINES = 4


def as_text(description: Description) -> str:
    """The description with its citations, then its evidence as a table, then what to be careful about."""
    names = ", ".join(image.name for image in description.images)
    lines = [names, ""]
    if description.request.question:
        lines += [_wrap(f"Question: {description.request.question}"), ""]
    lines += [_said(description), ""]
    if description.abstained and description.withheld is None:
        lines += [_wrap("The model abstained. What follows is only what looks nearest."), ""]
    if description.evidence:
        lines += [evidence_table(description.evidence), "", *map(_license, description.licenses), ""]
    elif description.index:
        lines += ["No evidence was found.", ""]
    heed = caution(description.licenses)
    warnings = [*description.warnings, *([heed] if heed else [])]
    lines += [_wrap(f"! {warning}", indent=2) for warning in warnings]
    lines.append(_wrap(_cost(description)))
    return printable("\n".join(lines) + "\n")


def _said(description: Description) -> str:
    """Fields as JSON; labels with their probabilities, the likeliest first; or sentences with their citations."""
    if description.request.schema is not None:
        return json.dumps(description.fields, ensure_ascii=False, indent=2)
    if description.choice is not None:
        ranked = sorted(description.choice.probabilities.items(), key=lambda each: -each[1])
        return "\n".join(f"{probability:6.1%}  {label}" for label, probability in ranked)
    if description.withheld is not None:
        return _wrap(f"No description: {description.abstained_because}. The evidence alone:")
    shown = bool(description.evidence) and not description.abstained
    said = " ".join(_with_citations(sentence, shown) for sentence in description.checks.sentences)
    return _wrap(said or "(the model wrote nothing)")


def evidence_table(evidence: Sequence[Evidence]) -> str:
    """One row an item: number (or rank), kind, score, source, id, licence; below it the text, the link, its copies."""
    rows = ["  no  kind     score  source, id, licence"]
    for item in evidence:
        record = item.record
        number = f"[{item.number}]" if item.number else f"{item.rank}."
        where = " ".join(
            part for part in (record.source, item.id, f"({record.license})" if record.license else "") if part
        )
        rows.append(f"{number:>4}  {item.kind:<8} {item.score:5.3f}  {where}")
        rows.append(_body(item.text))
        if record.url:
            rows.append(f"      {record.url}")
        if item.copies:
            also = ", ".join(f"{copy.source} ({copy.id})" for copy in item.copies)
            rows.append(_body(f"also in {also}"))
    return printable("\n".join(rows))


def printable(text: str) -> str:
    """The text without what steers a terminal, shown as `?`, or the direction of letters: captions are not ours."""
    return "".join("?" if category(c) == "Cc" and c != "\n" else c for c in text if category(c) != "Cf")


def _license(use: LicenseUse) -> str:
    """A licence, the numbers of what it is of, and who is to be named."""
    of = [
        f"{what} {', '.join(f'[{number}]' for number in numbers)}"
        for what, numbers in (("cited", use.cited), ("shown", use.shown))
        if numbers
    ]
    named = "; ".join(use.attributions)
    line = f"licence {use.license or 'not stated'}: {', '.join(of)}"
    return _wrap(f"{line}; by {named}" if named else line, indent=8)


def replay_text(replay: Replay) -> str:
    """What came of a replay, then its inputs, a line each, then the texts where they differ."""
    lines = [_wrap(f"{replay.result} {replay.id}: {replay.reason}", indent=2)]
    lines += [_wrap(f"  {i.state:<8} {i.name:<9} {i.told}", indent=21) for i in replay.inputs]
    texts = {"was": replay.was, "recorded evidence": replay.from_record, "searched anew": replay.anew}
    if replay.result == "different":
        for name, said in texts.items():
            if said is not None:
                lines.append(_wrap(f"  {name}: {said.failure or said.text}", indent=4))
    return printable("\n".join(lines))


def index_text(info: IndexInfo) -> str:
    """What an index holds, a line each."""
    lines = [f"{info.path}  generation {info.generation}, {info.size_bytes / 2**20:.1f} MiB, {info.created_at}"]
    counted = {"records": info.kinds, "source": info.sources, "licence": info.licenses, "modality": info.modalities}
    for title, counts in counted.items():
        lines += [f"  {title:<8} {name:<40} {count:>9,}" for name, count in counts.items()]
    for space in info.spaces:
        what = f"{space.embedder}@{space.fingerprint[:8]}, {space.dim}-d, {space.metric}, {space.search}"
        lines.append(f"  space    {space.name + ': ' + what:<40} {space.count:>9,}")
    if info.folded or info.look_alikes:
        alike = f"{info.look_alikes:,} images look like another (same perceptual hash)"
        lines.append(f"  duplicates: {info.folded:,} records share another's vector; {alike}")
    if info.failures:
        lines.append(f"  {info.failures:,} records of the sources could not be used; building again names them")
    return "\n".join(lines)


def template_line(template: PromptTemplate) -> str:
    """Version, task, note, and what it was made from."""
    parent = parent_of(template)
    made_from = f" (from {parent})" if parent else ""
    return f"{template.version:<30} {template.config.task:<8} {template.config.note}{made_from}"


def template_text(template: PromptTemplate) -> str:
    """Name, hash, parent, task and note, then the messages as they are written."""
    about = [f"name    {template.name}", f"hash    {template.hash}", f"parent  {parent_of(template) or '-'}"]
    about += [f"task    {template.config.task}", f"note    {template.config.note}"]
    messages = [f"[{message.role}]\n{message.text.rstrip()}" for message in template.config.messages]
    return "\n\n".join(["\n".join(about), *messages])


def template_difference(first: PromptTemplate, second: PromptTemplate) -> str:
    """Both versions with their notes, then the lines that were taken away (-) and added (+)."""
    head = [f"- {template_line(first)}", f"+ {template_line(second)}"]
    lines = difference(first, second) or "the messages are the same"
    return "\n".join([*head, "", lines])


def _body(text: str) -> str:
    lines = textwrap.wrap(text, _width(), initial_indent=" " * 6, subsequent_indent=" " * 6)
    if len(lines) > MAX_TEXT_LINES:
        lines = [*lines[:MAX_TEXT_LINES], "      ..."]
    return "\n".join(lines)


def _with_citations(sentence: Sentence, shown: bool) -> str:
    """The sentence with the numbers of its evidence; marked where there was evidence and none supports it."""
    if sentence.citations:
        return f"{sentence.text} [{', '.join(map(str, sentence.citations))}]"
    return f"{sentence.text} [unsupported]" if shown else sentence.text


def _cost(description: Description) -> str:
    parts = [
        f"model {description.model}",
        f"prompt {description.prompt}",
        f"index {description.index}" if description.index else "no retrieval",
        _tokens(description.tokens),
        f"{description.timings_s['total']:.2f} s",
    ]
    if description.adapter:
        parts.insert(1, f"adapter {description.adapter}")
    return "; ".join(parts)


def _wrap(text: str, indent: int = 0) -> str:
    return textwrap.fill(text, _width(), subsequent_indent=" " * indent)


def _width() -> int:
    return min(shutil.get_terminal_size().columns, MAX_WIDTH)


def _tokens(tokens: Tokens) -> str:
    if tokens.new == 0:
        return "no token written"
    return "tokens not counted" if tokens.new is None else f"{tokens.prompt} + {tokens.new} tokens"
