"""Addresses without what opens them: nothing secret may stand in a record."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

_ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_SECRET = re.compile(r".*(key(?!word)|token|secret|passw|signature|credential|auth(?!or)).*|sig|pwd", re.IGNORECASE)
"""Names of what an address gives as a key."""


def without_secrets(text: str) -> str:
    """`text` without the user names and passwords of addresses in it, and without what they give as a key."""
    return _ADDRESS.sub(_bare, text)


def _bare(address: re.Match[str]) -> str:
    try:
        parts = urlsplit(address[0])
    except ValueError:
        return "(no address)"
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host, query=_public(parts.query), fragment=_public(parts.fragment)))


def _public(pairs: str) -> str:
    return "&".join(pair for pair in pairs.split("&") if not _SECRET.fullmatch(pair.partition("=")[0]))
