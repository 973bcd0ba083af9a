"""Headers that tell browsers what these answers may do: nothing from elsewhere, no frames, no guessing of types."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from service.errors import WrongOrigin

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

PAGES = ("/page", "/login")
"""What is shown in a browser."""

_ALWAYS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # with no-referrer browsers send `Origin: null` with our own forms
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
_DATA = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
# Gradio writes its configuration into the page as a script, and builds functions and styles while it runs.
_PAGE = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
    "worker-src 'self' blob:; object-src 'none'; frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
)


_OF_PAGES = _ALWAYS | {"content-security-policy": _PAGE}
_OF_DATA = _ALWAYS | {"content-security-policy": _DATA, "cache-control": "no-store"}


def headers_for(path: str) -> Mapping[str, str]:
    """Those of an answer at this path."""
    return _OF_PAGES if is_page(path) else _OF_DATA


def is_page(path: str) -> bool:
    """Whether a browser shows what is there."""
    return any(path == page or path.startswith(f"{page}/") for page in PAGES)


def check_origin(host: str, origin: str | None, allowed: Collection[str]) -> None:
    """Raises WrongOrigin for a request under a name that is not ours (empty `allowed`: any), or from another's page.

    A page elsewhere can make a browser send forms here, and can give this machine a name of its own.
    """
    if allowed and _name(host) not in allowed:
        raise WrongOrigin("asked under a name that is not one of this service (hosts in its configuration)")
    if origin is not None and _place(origin) != host.lower():
        raise WrongOrigin("sent by the page of another site")


def _name(host: str) -> str | None:
    """None of what is no host."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return None


def _place(origin: str) -> str | None:
    """Host and port of an origin; None of what is none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None
