"""The tab Ask: questions about images, answered with evidence, the newest first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import gradio as gr

from rag.prompts import Exchange
from service.asked import MOST_EXCHANGES
from service.errors import Refusal, Unusable
from service.page.common import Page, choice, drop_zone, owner, panel, problem, status, summary, written
from service.page.html import render

Talk = tuple[str, tuple[Exchange, ...]]
"""The images that were asked about, as the drop zone holds them, and what was said of them, oldest first."""
_EMPTY = "Drop an image, and ask what you want to know of it."
_MOST_ANSWERS = 20
_QUESTION_CHARS = 2000


def ask_tab(page: Page) -> None:
    """Lays the tab out."""
    most = page.service.config.limits.images
    with gr.Row(elem_classes="ls-work"):
        with gr.Column(elem_classes="ls-aside"):
            images = drop_zone(page.service, "Drop images, or choose files", "ask-images", most)
            question = gr.Textbox(label="Question", lines=2, max_length=_QUESTION_CHARS, elem_id="ask-question")
            labels = gr.Textbox(
                label="Answers to choose from, one a line (optional)", lines=2, max_length=_QUESTION_CHARS,
                elem_id="ask-labels",
            )  # fmt: skip
            on = gr.Checkbox(False, label="Go on from the answers before", elem_id="ask-on")
            go = gr.Button("Ask", variant="primary", elem_id="ask-go")
            with gr.Accordion("Settings", open=False, elem_classes="ls-settings"):
                settings = panel(page.service, "ask")
        with gr.Column(elem_classes="ls-main"):
            told = gr.HTML(status(""), elem_id="ask-status", apply_default_css=False)
            shown = gr.HTML(render("empty.html", text=_EMPTY), elem_id="ask-result", apply_default_css=False)
    earlier: gr.State = gr.State([])
    talk: gr.State = gr.State(("", ()))

    async def work(
        request: gr.Request, tokens: str, text: str, answers: str, going_on: bool, before: list[str], said_of: Talk,
        *values: Any,
    ) -> AsyncIterator[tuple[str, str, list[str], Talk, Any]]:  # fmt: skip
        busy, idle = gr.update(interactive=False), gr.update(interactive=True)
        past, history = "".join(before), said_of[1] if going_on and said_of[0] == tokens else ()
        try:
            if not text.strip():
                raise Unusable("write a question first")
            chosen = choice(*values)
            given = [line.strip() for line in answers.splitlines() if line.strip()]
            asked = page.service.offer.ask(page.files(tokens), text, chosen, given, history=() if given else history)
        except Refusal as refusal:
            yield problem(refusal) + past, status(""), before, said_of, idle
            return
        html, said = render("writing.html", title=text, text=""), ""
        yield html + past, status("Reading the images and looking for evidence …"), before, said_of, busy
        async for piece in written(page.service, asked, owner(request)):
            if isinstance(piece, str):
                html = render("writing.html", title=text, text=piece)
            elif isinstance(piece, Refusal):
                html, said = problem(piece), f"{piece.title}."
            else:
                pictures = await page.pictures(piece["evidence"], chosen.index)
                html = render("description.html", record=piece, title=f"Answer to: {text}", pictures=pictures)
                said, before = summary(piece), [html, *before][:_MOST_ANSWERS]
                answer = Exchange(text.strip(), piece["answer"])
                said_of = tokens, (*(said_of[1] if said_of[0] == tokens else ()), answer)[-MOST_EXCHANGES:]
            yield html + past, status("Writing …"), before, said_of, busy
        yield html + past, status(said), before, said_of, idle

    for event in (go.click, question.submit):
        event(
            work, [images, question, labels, on, earlier, talk, *settings.inputs], [shown, told, earlier, talk, go],
            show_progress="hidden", api_visibility="private", concurrency_limit=None,
        )  # fmt: skip
