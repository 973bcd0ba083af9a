"""The tab Experiments: the reports of what lies in the service's folder of runs, and of the committed results."""

from __future__ import annotations

import gradio as gr

from service.page.html import render
from service.page.reports import Reports


def experiments_tab(reports: Reports, tab: gr.Tab) -> None:
    """Lays the tab out; the lists are made anew whenever it is opened."""
    shown = gr.HTML(listing(reports), elem_id="experiments", apply_default_css=False, js_on_load=None)
    tab.select(lambda: listing(reports), None, shown, show_progress="hidden", api_visibility="private")


def listing(reports: Reports) -> str:
    """All reports, as links into the frame beside them."""
    return render("reports.html", own=reports.own, committed=reports.committed, note=reports.note)
