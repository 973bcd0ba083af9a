"""The tab Describe: an image, its text as it is written, what the text rests on; two settings side by side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
from markupsafe import Markup

from service.asked import Asked, Choice
from service.errors import Refusal
from service.page.common import (
    Page,
    Streamed,
    choice,
    drop_zone,
    listed,
    owner,
    panel,
    problem,
    status,
    summary,
    written,
)
from service.page.html import render
from service.page.look import look_into

_EMPTY = "Drop an image to have it described. Each sentence will show the evidence that it rests on."


@dataclass(frozen=True)
class Side:
    """One of the descriptions that are shown: what it is called, what it was asked with, and how it stands."""

    title: str
    choice: Choice
    asked: Asked
    html: str = ""
    said: str = ""
    record: dict[str, Any] | None = None


def describe_tab(page: Page) -> None:
    """Lays the tab out."""
    with gr.Row(elem_classes="ls-work"):
        with gr.Column(elem_classes="ls-aside"):
            image = drop_zone(page.service, "Drop an image, or choose a file", "describe-image")
            with gr.Row(elem_classes="ls-go"):
                go = gr.Button("Describe", variant="primary", elem_id="describe-go", min_width=120)
                stop = gr.Button("Stop", elem_id="describe-stop", visible=False, min_width=80)
            with gr.Accordion("Settings", elem_classes="ls-settings"):
                first = panel(page.service, "caption")
            compare = gr.Checkbox(False, label="Compare with a second setting", elem_id="describe-compare")
            with gr.Accordion("Second setting", visible=False, elem_classes="ls-settings") as other:
                second = panel(page.service, "caption", "B")
        with gr.Column(elem_classes="ls-main"):
            told = gr.HTML(status(""), elem_id="describe-status", apply_default_css=False)
            shown = gr.HTML(render("empty.html", text=_EMPTY), elem_id="describe-result", apply_default_css=False)
            looking = look_into(page)

    async def work(request: gr.Request, tokens: str, comparing: bool, *values: Any) -> AsyncIterator[tuple[Any, ...]]:
        going, over, none = _buttons(busy=True), _buttons(busy=False), looking.offer([])
        try:
            sides = _sides(page, tokens, comparing, values)
        except Refusal as refusal:
            yield problem(refusal), status(""), *over, *none
            return
        yield _drawn(sides), status("Reading the image and looking for evidence …"), *going, *none
        async for now in _followed(page, sides, owner(request)):
            sides = now
            yield _drawn(sides), status("Writing …"), *going, *none
        told_now = status(" ".join(_told(side, len(sides)) for side in sides))
        seen = [(listed(tokens)[0], side.choice, side.record) for side in sides if side.record]
        yield _drawn(sides), told_now, *over, *looking.offer(seen)

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    compare.change(lambda on: gr.update(visible=on), compare, other, **quiet)
    inputs, outputs = [image, compare, *first.inputs, *second.inputs], [shown, told, go, stop, *looking.outputs]
    event = go.click(work, inputs, outputs, concurrency_limit=None, **quiet)
    stop.click(lambda: (status("Stopped."), *_buttons(busy=False)), None, [told, go, stop], cancels=event, **quiet)


def _buttons(busy: bool) -> tuple[Any, Any]:
    """Describe and Stop, while something is written or not."""
    return gr.update(interactive=not busy), gr.update(visible=busy)


def _sides(page: Page, tokens: str, comparing: bool, values: tuple[Any, ...]) -> list[Side]:
    """What is asked. Raises Refusal."""
    (upload, *_), half = page.files(tokens), len(values) // 2
    choices = [choice(*values[:half]), *([choice(*values[half:])] if comparing else [])]
    titles = ["Setting A", "Setting B"] if comparing else ["Description"]
    return [
        Side(title, chosen, page.service.offer.caption(upload, chosen), render("writing.html", title=title, text=""))
        for title, chosen in zip(titles, choices, strict=True)
    ]


async def _followed(page: Page, sides: list[Side], who: str) -> AsyncIterator[list[Side]]:
    """The sides each time one of them has more to show, until all have ended. Leaving it stops the writing."""
    coming: asyncio.Queue[tuple[int, Streamed | None]] = asyncio.Queue()

    async def follow(place: int) -> None:
        async for piece in written(page.service, sides[place].asked, who):
            await coming.put((place, piece))
        await coming.put((place, None))

    tasks = [asyncio.create_task(follow(place)) for place in range(len(sides))]
    try:
        ended = 0
        while ended < len(sides):
            place, piece = await coming.get()
            ended += piece is None
            if piece is not None:
                sides = [*sides[:place], await _with(page, sides[place], piece), *sides[place + 1 :]]
                yield sides
    finally:
        for task in tasks:
            task.cancel()


async def _with(page: Page, side: Side, piece: Streamed) -> Side:
    if isinstance(piece, str):
        return replace(side, html=render("writing.html", title=side.title, text=piece))
    if isinstance(piece, Refusal):
        return replace(side, html=problem(piece), said=f"{piece.title}.")
    pictures = await page.pictures(piece["evidence"], side.choice.index)
    html = render("description.html", record=piece, title=side.title, pictures=pictures)
    return replace(side, html=html, said=summary(piece), record=piece)


def _drawn(sides: list[Side]) -> str:
    if len(sides) == 1:
        return sides[0].html
    shown = [{"title": side.title, "note": _note(side.choice), "html": Markup(side.html)} for side in sides]  # noqa: S704 - templates made it
    return render("pair.html", sides=shown)


def _note(chosen: Choice) -> str:
    evidence = f"{chosen.k} pieces of evidence" if chosen.retrieval else "no evidence"
    return f"{chosen.model}, {chosen.prompt or 'its own prompt'}, {evidence}, {chosen.length}"


def _told(side: Side, of: int) -> str:
    return side.said if of == 1 else f"{side.title}: {side.said}"
