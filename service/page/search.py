"""The tab Search: what the index holds that is nearest to an image, or to words."""

from __future__ import annotations

from collections.abc import AsyncIterator

import gradio as gr

from rag.types import evidence_json
from service.errors import Refusal
from service.page.common import Page, drop_zone, problem, status
from service.page.html import render

_EMPTY = "Search the index by words, or by an image: what looks or reads most like it comes first."


def search_tab(page: Page) -> None:
    """Lays the tab out."""
    indexes = list(page.service.offer.indexes)
    with gr.Row(elem_classes="ls-work"):
        with gr.Column(elem_classes="ls-aside"):
            words = gr.Textbox(
                label="Words", max_length=1000, elem_id="search-words", placeholder="axial CT of the chest"
            )
            image = drop_zone(page.service, "Or drop an image, or choose a file", "search-image")
            index = gr.Dropdown(indexes, value=indexes[0], label="Index", visible=len(indexes) > 1, filterable=False)
            k = gr.Slider(1, 50, 12, step=1, label="How many", buttons=[])
            go = gr.Button("Search", variant="primary", elem_id="search-go")
        with gr.Column(elem_classes="ls-main"):
            told = gr.HTML(status(""), elem_id="search-status", apply_default_css=False)
            shown = gr.HTML(render("empty.html", text=_EMPTY), elem_id="search-result", apply_default_css=False)

    async def work(text: str, tokens: str, name: str, count: float) -> AsyncIterator[tuple[str, str]]:
        yield render("empty.html", text=""), status("Searching …")
        try:
            by_words = bool(text.strip())
            upload = None if by_words else page.files(tokens)[0]
            found = await page.service.search(int(count), name, image=upload, text=text.strip() or None)
        except Refusal as refusal:
            yield problem(refusal), status("")
            return
        evidence = [evidence_json(each) for each in found]
        pictures = await page.pictures(evidence, name)
        near = f"“{text.strip()}”" if upload is None else upload.name
        kinds = (("Images", "example"), ("Texts", "passage"))
        groups = [(title, [e for e in evidence if e["kind"] == kind]) for title, kind in kinds]
        groups = [(title, each) for title, each in groups if each]
        yield render("found.html", groups=groups, pictures=pictures, near=near), status(f"{len(evidence)} found.")

    for event in (go.click, words.submit):
        event(
            work, [words, image, index, k], [shown, told], show_progress="hidden", api_visibility="private",
            concurrency_limit=None,
        )  # fmt: skip
