"""The tab Rate: texts judged without knowing whose they are, by pointing or by keys alone."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from evaluation.ratings.types import HIGHEST, LOWEST, QUESTIONS
from service.errors import Refusal, Unusable
from service.page.common import Page, problem, status
from service.page.html import render
from service.rated import COMMENT_CHARS, EDITED_CHARS, RatedTasks, RatingItem, Said

MEANING = {
    "accuracy": "Is what it says true of the image?",
    "completeness": "Does it say all that matters?",
    "usefulness": "Could you use it as it stands?",
}
_NO_TASKS = (
    "There are no rating tasks yet. The command ratings make writes one into the folder ratings of the service's data."
)
_BEGIN = "Choose a task and say who you are. You will not be told whose text is whose."


@dataclass(frozen=True)
class Place:
    """Where a rater is: which task, as whom, at which item (None: behind the last), and since when."""

    task: str
    rater: str
    position: int | None
    since: float


Shown = tuple[Place | None, str, str]
"""Where the rater is, what is shown, and what is read out."""


def rate_tab(page: Page, tab: gr.Tab) -> None:
    """Lays the tab out."""
    tasks = page.service.rated
    with gr.Row(elem_classes="ls-begin"):
        task = gr.Dropdown(label="Task", elem_id="rate-task", filterable=False, scale=2)
        rater = gr.Textbox(label="Your name, kept with your ratings", max_length=64, elem_id="rate-rater", scale=2)
        begin = gr.Button("Begin", variant="primary", elem_id="rate-begin", scale=1, min_width=120)
    told = gr.HTML(status(""), elem_id="rate-status", apply_default_css=False)
    shown = gr.HTML(
        render("empty.html", text=_BEGIN), elem_id="rate-item", apply_default_css=False,
        js_on_load="lumenscribe.rate(element, trigger, watch, 'press')",
    )  # fmt: skip
    place: gr.State = gr.State(None)

    def offered() -> tuple[Any, Any]:
        names = [each.name for each in tasks.all()]
        text = _BEGIN if names else _NO_TASKS
        return gr.update(choices=names, value=names[0] if names else None), render("empty.html", text=text)

    def start(name: str | None, who: str) -> Shown:
        return _safely(None, lambda: _next(tasks, _named(name, "a task"), _named(who, "your name")))

    def press(at: Place | None, event: gr.EventData) -> Shown:
        if at is None:
            return None, render("empty.html", text=_BEGIN), status("")
        return _safely(at, lambda: _pressed(tasks, at, event._data))

    tab.select(offered, None, [task, shown], show_progress="hidden", api_visibility="private")
    for event in (begin.click, rater.submit):
        event(start, [task, rater], [place, shown, told], show_progress="hidden", api_visibility="private")
    shown.press(press, place, [place, shown, told], show_progress="hidden", api_visibility="private")


def _named(value: str | None, what: str) -> str:
    if not value or not value.strip():
        raise Unusable(f"choose {what}" if what == "a task" else f"give {what}")
    return value.strip()


def _safely(at: Place | None, work: Any) -> Shown:
    try:
        done: Shown = work()
    except Refusal as refusal:
        return at, problem(refusal), status("")
    return done


def _pressed(tasks: RatedTasks, at: Place, said: Mapping[str, Any]) -> Shown:
    """What a button or a key does. Raises Refusal."""
    do = str(said.get("do", ""))
    if do == "back":
        position = at.position - 1 if at.position is not None else _last(tasks, at)
        return _at(tasks, at, max(position, 0))
    if at.position is None:
        return _next(tasks, at.task, at.rater)
    if do == "forward":
        item = tasks.item(at.task, at.rater, at.position)
        if item.said is None:
            raise Unusable("not answered yet: answer it, or skip it")
        if item.position + 1 < item.total:
            return _at(tasks, at, item.position + 1)
        return _next(tasks, at.task, at.rater)
    seconds = round(time.monotonic() - at.since, 2)
    saved = tasks.save(at.task, at.rater, at.position, _said(do, said), seconds)
    item = tasks.item(at.task, at.rater, at.position)
    if saved == "replaced" and item.position + 1 < item.total:
        return _at(tasks, at, item.position + 1, "Changed. ")
    return _next(tasks, at.task, at.rater, "Kept. ")


def _said(do: str, said: Mapping[str, Any]) -> Said:
    """An answer as the page sent it. Raises Unusable."""
    comment, edited = str(said.get("comment", ""))[:COMMENT_CHARS], str(said.get("edited", ""))[:EDITED_CHARS]
    if do == "skip":
        return Said(comment=comment, skipped=True)
    if do in ("A", "B", "tie"):
        return Said(preferred=do, comment=comment)  # type: ignore[arg-type]
    scores = said.get("scores")
    if do != "scores" or not isinstance(scores, dict):
        raise Unusable("the page sent no answer")
    try:
        accuracy, completeness, usefulness = (int(scores[question]) for question in QUESTIONS)
    except (KeyError, TypeError, ValueError) as error:
        raise Unusable(f"give {LOWEST} to {HIGHEST} for each question, or skip") from error
    return Said(accuracy, completeness, usefulness, comment=comment, edited=edited)


def _last(tasks: RatedTasks, at: Place) -> int:
    return tasks.item(at.task, at.rater, 0).total - 1


def _next(tasks: RatedTasks, task: str, rater: str, before: str = "") -> Shown:
    item = tasks.next(task, rater)
    if item is None:
        place = Place(task, rater, None, time.monotonic())
        return place, render("rated.html"), status(f"{before}That was the last one.")
    return _drawn(tasks, item, before)


def _at(tasks: RatedTasks, at: Place, position: int, before: str = "") -> Shown:
    return _drawn(tasks, tasks.item(at.task, at.rater, position), before)


def _drawn(tasks: RatedTasks, item: RatingItem, before: str) -> Shown:
    picture = tasks.picture(item.task, item.rater, item.position)
    html = render(
        "rate.html", item=item, picture=picture, questions=MEANING, scores=range(LOWEST, HIGHEST + 1),
        comment_chars=COMMENT_CHARS, edited_chars=EDITED_CHARS,
    )  # fmt: skip
    told = f"{before}Item {item.position + 1} of {item.total}, {item.done} answered."
    return Place(item.task, item.rater, item.position, time.monotonic()), html, status(told)
