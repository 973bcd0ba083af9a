"""Part of the tab Describe: where the model looks for a sentence of a description, or for all of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from service.asked import Choice
from service.errors import Refusal
from service.page.common import Page, problem, status
from service.page.heat import Looked, look
from service.page.html import render

_ALL = "the whole text"
_CHARS = 80
"""Letters of a sentence by which it is offered."""

Seen = tuple[str, Choice, dict[str, Any]]
"""A description to look into: the token of its image, what was chosen, its record."""


@dataclass(frozen=True)
class Looking:
    """The controls, which are hidden where there is nothing to look into."""

    seen: gr.State
    group: gr.Group
    what: gr.Dropdown
    shown: gr.HTML

    @property
    def outputs(self) -> list[gr.components.Component | gr.Group]:
        return [self.seen, self.group, self.what, self.shown]

    def offer(self, seen: Sequence[Seen]) -> tuple[Any, ...]:
        """What the outputs become where these descriptions are there."""
        choices = list(_choices(seen))
        return list(seen), gr.update(visible=bool(choices)), gr.update(choices=choices, value=_first(choices)), ""


def look_into(page: Page) -> Looking:
    """Lays the controls out."""
    seen: gr.State = gr.State([])
    with gr.Column(visible=False, elem_classes="ls-look", elem_id="describe-look") as group:
        with gr.Row(elem_classes="ls-look-bar"):
            what = gr.Dropdown([], label="Where does the model look for", filterable=False, elem_id="look-what")
            go = gr.Button("Show", elem_id="look-go", min_width=100)
        told = gr.HTML(status(""), elem_id="look-status", apply_default_css=False)
        shown = gr.HTML("", elem_id="look-result", apply_default_css=False)

    async def work(all_seen: list[Seen], chosen: str) -> AsyncIterator[tuple[str, str, Any]]:
        busy, idle = gr.update(interactive=False), gr.update(interactive=True)
        try:
            side, place = map(int, chosen.split("."))
            token, choice, record = all_seen[side]
            begun, text = _parts(record, place)
            asked = page.service.offer.caption(page.images.get(token).upload, choice)
            yield status("Covering parts of the image …"), "", busy
            async for step in look(page.service, asked, text, begun):
                if isinstance(step, Looked):
                    yield status(_where(step.heat.place)), _figure(step, text), idle
                else:
                    yield status(f"Covering parts of the image … {step:.0%}"), "", busy
        except Refusal as refusal:
            yield status(""), problem(refusal), idle

    go.click(
        work, [seen, what], [told, shown, go], show_progress="hidden", api_visibility="private", concurrency_limit=None
    )
    return Looking(seen, group, what, shown)


def _choices(seen: Sequence[Seen]) -> list[tuple[str, str]]:
    """What may be looked for, as it is called and by its place: SIDE.SENTENCE, 0 for the whole text."""
    made = []
    for side, (_, _, record) in enumerate(seen):
        if not record["caption"]:
            continue
        name = f"{'AB'[side]}: " if len(seen) > 1 else ""
        sentences = [sentence["text"] for sentence in record["sentences"]]
        texts = [_ALL, *sentences] if len(sentences) > 1 else [_ALL]
        made += [(f"{name}{_short(text)}", f"{side}.{place}") for place, text in enumerate(texts)]
    return made


def _parts(record: dict[str, Any], place: int) -> tuple[str, str]:
    """What was said before the text that is looked for, and that text."""
    caption: str = record["caption"]
    if place == 0:
        return "", caption
    start = 0
    for number, sentence in enumerate(record["sentences"], start=1):
        found = caption.find(sentence["text"], start)
        if number == place and found >= 0:
            return caption[:found], sentence["text"]
        start = max(start, found + len(sentence["text"]))
    return "", caption


def _where(place: str) -> str:
    if place == "nowhere":
        return "Done. No part of the image counts for these words."
    return f"Done. It looks most at: {place}."


def _figure(looked: Looked, text: str) -> str:
    return render("looked.html", looked=looked, text=text)


def _short(text: str) -> str:
    return text if len(text) <= _CHARS else f"{text[: _CHARS - 1].rstrip()}…"


def _first(choices: Sequence[tuple[str, str]]) -> str | None:
    return choices[0][1] if choices else None
