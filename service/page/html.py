"""Records, evidence, jobs and ratings -> HTML for the page. Every text is escaped: captions and names are not ours."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from evaluation.report.gallery import cut
from rag.attribution import LicenseUse, caution
from rag.secrets import without_secrets
from rag.show import printable

CAPTION_CHARS = 600
"""Letters of a piece of evidence that a card shows."""


@cache
def _pages() -> Environment:
    """The templates; whatever they print is escaped, and without what turns the direction of letters."""
    pages = Environment(
        loader=PackageLoader("service.page", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    pages.filters.update(
        caution=heed,
        cited=cited,
        cut=lambda text: cut(text, CAPTION_CHARS),
        index_name=index_name,
        jpeg=jpeg,
        minutes=minutes,
        png=png,
        public=without_secrets,
        web_link=web_link,
    )
    return pages


def render(template: str, **values: Any) -> str:
    """A template of `templates/` with these values."""
    return _pages().get_template(template).render(**values)


def cited(record: Mapping[str, Any]) -> frozenset[int]:
    """Numbers of the evidence that a record's sentences rest on."""
    return frozenset(number for sentence in record["sentences"] for number in sentence["citations"])


def heed(licenses: Sequence[Mapping[str, Any]]) -> str | None:
    """What a reader must heed of a record's licences, in one line; None where that is nothing."""
    return caution([LicenseUse(**use) for use in licenses])


def jpeg(thumbnail: bytes) -> Markup:
    """A JPEG as an address that holds it."""
    return Markup("data:image/jpeg;base64,{}").format(base64.b64encode(thumbnail).decode())


def png(picture: bytes) -> Markup:
    """A PNG as an address that holds it."""
    return Markup("data:image/png;base64,{}").format(base64.b64encode(picture).decode())


def web_link(url: str | None) -> str | None:
    """An address that may be followed: of the web and without secrets in it; None for any other, as of scripts."""
    if not url:
        return None
    try:
        parts = urlsplit(url)
        followed = parts.scheme in ("http", "https") and parts.hostname
    except ValueError:
        return None
    return without_secrets(url) if followed else None


def index_name(index: str) -> str:
    """The index without the path to its folder, which is of the machine: `medpix@3:ab12`."""
    return index.replace("\\", "/").rpartition("/")[2]


def minutes(seconds: float) -> str:
    """How long something takes, as people say it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
