"""What the tabs share: the service, the files that people dropped, how to choose settings, how to say what is wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import gradio as gr

from rag.prompts import PromptTemplate, Task
from service.asked import Asked, Choice, Upload
from service.errors import Refusal, Unusable
from service.page.html import render
from service.page.uploads import Image, Spooled, Uploads
from service.service import Service

OWN_PROMPT = "the model's own"
MOST_K = 20


@dataclass(frozen=True)
class Page:
    """What every tab needs."""

    service: Service
    images: Uploads[Image]
    spooled: Uploads[Spooled]
    spool: Path

    def files(self, tokens: str | None) -> list[Upload]:
        """The images of a drop zone, by the tokens that it holds. Raises Unusable and NotThere."""
        held = listed(tokens)
        if not held:
            raise Unusable("drop an image first, or choose a file")
        return [self.images.get(token).upload for token in held]

    async def pictures(self, evidence: Sequence[Mapping[str, Any]], index: str | None) -> dict[str, bytes]:
        """JPEGs of the examples among the evidence, by id; one that left the index meanwhile has none."""

        def look() -> dict[str, bytes]:
            found = {}
            for each in evidence:
                if each["kind"] == "example":
                    with suppress(Refusal):
                        found[each["id"]] = self.service.thumbnail(each["id"], index)
            return found

        return await asyncio.to_thread(look)


def listed(tokens: str | None) -> list[str]:
    """The tokens that a drop zone holds. Raises Unusable."""
    try:
        held = json.loads(tokens or "[]")
    except ValueError:
        held = None
    if not isinstance(held, list) or not all(isinstance(token, str) for token in held):
        raise Unusable("the page sent no list of files")
    return held


Streamed = str | dict[str, Any] | Refusal
"""The text so far, at last the record, or why there is none."""


def owner(request: gr.Request) -> str:
    """The name of the key that somebody is logged in with; empty where no keys are needed."""
    here = request.request
    return "" if here is None else str(here.scope.get("state", {}).get("key_name") or "")


async def written(service: Service, asked: Asked, who: str) -> AsyncIterator[Streamed]:
    """The text as far as it is written, each time there is more of it; then the record, or why there is none.

    The record belongs to the key named `who`.
    """
    text = ""
    try:
        async for piece in service.stream(asked, who):
            if isinstance(piece, str):
                text += piece
                yield text
            else:
                yield piece
    except Refusal as refusal:
        yield refusal


@dataclass(frozen=True)
class Panel:
    """Settings to choose, in the order that `choice` takes their values."""

    model: gr.Dropdown
    prompt: gr.Dropdown
    index: gr.Dropdown
    retrieval: gr.Checkbox
    k: gr.Slider
    length: gr.Radio

    @property
    def inputs(self) -> list[gr.components.Component]:
        return [self.model, self.prompt, self.index, self.retrieval, self.k, self.length]


def panel(service: Service, task: Task, name: str = "") -> Panel:
    """Controls for settings of a task, as the service is configured; `name` tells two panels apart."""
    offer, settings = service.offer, service.config.resolved()
    said = f" {name}" if name else ""
    prompts = [p for p in offer.prompts if PromptTemplate.load(p).config.task == task]
    own = settings.prompt.template
    folders = {folder: index for index, folder in reversed(list(offer.indexes.items()))}
    index = folders.get(settings.retrieval.index, next(iter(offer.indexes)))
    model = gr.Dropdown(list(offer.models), value=settings.model.name, label=f"Model{said}", filterable=False)
    prompt = gr.Dropdown(
        [OWN_PROMPT, *prompts], value=own if own in prompts else OWN_PROMPT, label=f"Prompt{said}", filterable=False
    )
    retrieval = gr.Checkbox(settings.retrieval.enabled, label=f"Use evidence from the index{said}")
    k = gr.Slider(1, MOST_K, min(settings.retrieval.k, MOST_K), step=1, label=f"Pieces of evidence (k){said}",
                  buttons=[])  # fmt: skip
    indexes = gr.Dropdown(
        list(offer.indexes), value=index, label=f"Index{said}", visible=len(offer.indexes) > 1, filterable=False
    )
    length = gr.Radio(["short", "medium", "long"], value=settings.prompt.length, label=f"Length{said}")
    return Panel(model, prompt, indexes, retrieval, k, length)


def choice(model: str, prompt: str, index: str, retrieval: bool, k: float, length: str) -> Choice:
    """What the controls of a panel say. Raises Unusable for what they cannot have said."""
    try:
        return Choice(
            model=model, prompt=None if prompt == OWN_PROMPT else prompt, index=index, retrieval=retrieval, k=int(k),
            length=length,
        )  # fmt: skip
    except ValueError as error:
        raise Unusable("the page sent settings that are none") from error


def problem(refusal: Refusal) -> str:
    """Why something was not done, plain to see and read out at once."""
    return render("problem.html", refusal=refusal)


def status(text: str) -> str:
    """A line that screen readers read when it changes."""
    return render("status.html", text=text)


def summary(record: Mapping[str, Any]) -> str:
    """What a record comes to, in one line."""
    warnings = len(record["warnings"])
    told = [] if not warnings else ["1 warning" if warnings == 1 else f"{warnings} warnings"]
    if record["withheld"] is not None:
        return ". ".join(["Done: no description, the evidence alone", *told]) + "."
    if record["abstained"]:
        return ". ".join(["Done: the model abstained", *told]) + "."
    sentences = record["sentences"]
    count = "1 sentence" if len(sentences) == 1 else f"{len(sentences)} sentences"
    if record["evidence"] and sentences:
        count += f", {sum(bool(s['citations']) for s in sentences)} with evidence"
    return ". ".join([f"Done: {count}", *told]) + "."


def drop_zone(
    service: Service, label: str, elem_id: str, most: int = 1, kind: Literal["images", "files"] = "images"
) -> gr.HTML:
    """A place to drop files; its value is the list of their tokens as JSON text."""
    zone = render("drop.html", label=label, most=most, mib=service.config.limits.body_mib, kind=kind)
    return gr.HTML(
        value="[]", html_template=zone, js_on_load="lumenscribe.drop(element, props, watch)", elem_id=elem_id,
        apply_default_css=False,
    )  # fmt: skip
