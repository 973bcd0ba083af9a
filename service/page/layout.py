"""The page as a whole: what stands above every tab, the tabs, and how it looks."""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr

from service.page.ask import ask_tab
from service.page.batches import batch_tab
from service.page.common import Page
from service.page.describe import describe_tab
from service.page.experiments import experiments_tab
from service.page.html import render
from service.page.rate import rate_tab
from service.page.reports import Reports
from service.page.search import search_tab

_LOOKS_EVERY_S = 0.02
"""How often Gradio looks for work of the page. By itself it does so each millisecond, on a core that describes."""


def blocks(page: Page, reports: Reports) -> gr.Blocks:
    """The page; nothing of it is counted or sent anywhere."""
    tabs: dict[str, Callable[[gr.Tab], None]] = {
        "Describe": lambda _: describe_tab(page),
        "Ask": lambda _: ask_tab(page),
        "Search": lambda _: search_tab(page),
        "Rate": lambda tab: rate_tab(page, tab),
        "Experiments": lambda tab: experiments_tab(reports, tab),
        "Batch": lambda tab: batch_tab(page, tab),
    }
    made: gr.Blocks
    with gr.Blocks(analytics_enabled=False, title="Lumenscribe", fill_width=True) as made:
        gr.HTML(render("head.html", keys=bool(page.service.keys)), apply_default_css=False, elem_id="ls-head")
        with gr.Tabs(overflow_behavior="wrap", elem_id="ls-tabs"):
            for name, lay_out in tabs.items():
                with gr.Tab(name, elem_id=f"ls-{name.lower()}", id=name.lower()) as tab:
                    lay_out(tab)
    made._queue.sleep_when_free = _LOOKS_EVERY_S
    return made


def theme() -> gr.themes.Base:
    """The house's look, as far as Gradio's own parts have it: black on white, square, fonts of the system alone."""
    neutral, accent = gr.themes.colors.gray, gr.themes.colors.teal
    made = gr.themes.Base(
        primary_hue=accent, neutral_hue=neutral, radius_size="sm", text_size="md", spacing_size="md",
        font=["-apple-system", "BlinkMacSystemFont", "Segoe UI", "Roboto", "Helvetica Neue", "Liberation Sans",
              "Arial", "sans-serif"],
        font_mono=["ui-monospace", "Liberation Mono", "monospace"],
    )  # fmt: skip
    return made.set(
        **_both("body_background_fill", "var(--ls-paper)"),
        **_both("body_text_color", "var(--ls-ink)"),
        **_both("body_text_color_subdued", "var(--ls-soft)"),
        **_both("background_fill_primary", "var(--ls-paper)"),
        **_both("background_fill_secondary", "var(--ls-raised)"),
        **_both("border_color_primary", "var(--ls-line)"),
        **_both("border_color_accent", "var(--ls-accent)"),
        **_both("block_background_fill", "transparent"),
        **_both("block_border_width", "0px"),
        **_both("block_title_text_color", "var(--ls-ink)"),
        **_both("block_label_text_color", "var(--ls-ink)"),
        **_both("block_info_text_color", "var(--ls-soft)"),
        **_both("input_background_fill", "var(--ls-paper)"),
        **_both("input_background_fill_focus", "var(--ls-paper)"),
        **_both("input_border_color", "var(--ls-field)"),
        **_both("input_border_color_focus", "var(--ls-accent)"),
        **_both("input_placeholder_color", "var(--ls-faint)"),
        **_both("input_border_width", "1px"),
        **_both("checkbox_background_color", "var(--ls-paper)"),
        **_both("checkbox_background_color_selected", "var(--ls-accent)"),
        **_both("checkbox_border_color", "var(--ls-field)"),
        **_both("checkbox_border_color_selected", "var(--ls-accent)"),
        **_both("checkbox_label_background_fill", "transparent"),
        **_both("checkbox_label_background_fill_hover", "var(--ls-raised)"),
        **_both("checkbox_label_background_fill_selected", "var(--ls-accent-soft)"),
        **_both("checkbox_label_text_color_selected", "var(--ls-ink)"),
        **_both("slider_color", "var(--ls-accent)"),
        **_both("button_primary_background_fill", "var(--ls-accent)"),
        **_both("button_primary_background_fill_hover", "var(--ls-accent-strong)"),
        **_both("button_primary_text_color", "var(--ls-on-accent)"),
        **_both("button_primary_text_color_hover", "var(--ls-on-accent)"),
        **_both("button_primary_border_color", "var(--ls-accent)"),
        **_both("button_secondary_background_fill", "var(--ls-paper)"),
        **_both("button_secondary_background_fill_hover", "var(--ls-raised)"),
        **_both("button_secondary_text_color", "var(--ls-ink)"),
        **_both("button_secondary_border_color", "var(--ls-field)"),
        **_both("color_accent_soft", "var(--ls-accent-soft)"),
        **_both("panel_background_fill", "transparent"),
        block_title_text_weight="500",
        block_padding="0px",
        button_large_text_weight="600",
        form_gap_width="0px",
        layout_gap="1.1rem",
    )


def _both(name: str, value: str) -> dict[str, str]:
    """A variable in light and in dark: the sheet's own colours change by themselves."""
    return {name: value, f"{name}_dark": value}
