"""The tab Batch: many images described by a process of its own, which goes on whether the page is open or not."""

from __future__ import annotations

import asyncio
import zipfile
from collections.abc import Sequence
from typing import Any

import gradio as gr

from service.errors import Refusal, Unusable
from service.jobs import JobFile, JobView
from service.jobs.types import MOST_FILES, OPEN
from service.page.common import Page, choice, drop_zone, listed, owner, panel, problem, status
from service.page.html import render

_EVERY_S = 2.0
"""Seconds between two looks at jobs that run, while the tab is open."""


def batch_tab(page: Page, tab: gr.Tab) -> None:
    """Lays the tab out."""
    jobs = page.service.jobs
    most = min(jobs.limits.max_images, MOST_FILES)
    with gr.Row(elem_classes="ls-work"):
        with gr.Column(elem_classes="ls-aside"):
            files = drop_zone(page.service, "Drop images or a zip, or choose files", "batch-files", most, "files")
            go = gr.Button("Start", variant="primary", elem_id="batch-go")
            with gr.Accordion("Settings", open=False, elem_classes="ls-settings"):
                settings = panel(page.service, "caption")
        with gr.Column(elem_classes="ls-main"):
            told = gr.HTML(status(""), elem_id="batch-status", apply_default_css=False)
            shown = gr.HTML(
                "", elem_id="batch-jobs", apply_default_css=False,
                js_on_load="lumenscribe.jobs(element, trigger, 'act')",
            )  # fmt: skip
    timer = gr.Timer(_EVERY_S, active=False)

    async def look(request: gr.Request) -> tuple[str, gr.Timer]:
        return _list(await asyncio.to_thread(jobs.all, owner(request)))

    async def start(request: gr.Request, tokens: str, *values: Any) -> tuple[str, str, gr.Timer, str]:
        said, kept = "", tokens
        try:
            job = await asyncio.to_thread(_create, page, owner(request), listed(tokens), values)
            told_now, kept = status(f"Started: {job.job.images} images."), "[]"
        except Refusal as error:
            told_now, said = status(""), problem(error)
        html, ticking = _list(await asyncio.to_thread(jobs.all, owner(request)))
        return said + html, told_now, ticking, kept

    async def act(request: gr.Request, event: gr.EventData) -> tuple[str, str, gr.Timer]:
        said, do = "", {"cancel": jobs.cancel, "resume": jobs.resume, "delete": jobs.delete}.get(event._data.get("do"))
        try:
            if do is None:
                raise Unusable("the page asked for what it cannot ask")
            await asyncio.to_thread(do, str(event._data.get("job", "")), owner(request))
        except Refusal as error:
            said = problem(error)
        html, ticking = _list(await asyncio.to_thread(jobs.all, owner(request)))
        return said + html, status(""), ticking

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    tab.select(look, None, [shown, timer], **quiet)
    timer.tick(look, None, [shown, timer], **quiet)
    go.click(start, [files, *settings.inputs], [shown, told, timer, files], **quiet)
    shown.act(act, None, [shown, told, timer], **quiet)


def _list(jobs: Sequence[JobView]) -> tuple[str, gr.Timer]:
    """All jobs, and whether it is worth looking again."""
    return render("jobs.html", jobs=jobs, open_states=OPEN), gr.Timer(
        active=any(j.standing.state in OPEN for j in jobs)
    )


def _create(page: Page, who: str, tokens: Sequence[str], values: Sequence[Any]) -> JobView:
    """A job of the files that were dropped, which are then let go of. Raises Refusal."""
    if not tokens:
        raise Unusable("drop images or a zip first, or choose files")
    files = [page.spooled.get(token) for token in tokens]
    packed = [file for file in files if zipfile.is_zipfile(file.file)]
    if len(packed) > 1:
        raise Unusable("give one zip, not several")
    for file in files:
        file.file.seek(0)
    chosen = choice(*values)
    images = [JobFile(file.name, file.file) for file in files if file not in packed]
    archive = JobFile(packed[0].name, packed[0].file) if packed else None
    options = chosen.model_dump(exclude_none=True)
    view = page.service.begin_job(who, page.service.offer.each(chosen), options, images, archive)
    for token in tokens:
        page.spooled.drop(token)
    return view
