"""Who may ask: keys known by their SHA-256 alone, and sessions of people who logged in to the page with one.

A key has 256 random bits, so that a plain hash of it cannot be turned back by guessing. No key is ever written down
here, in an error or in a log.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import yaml
from pydantic import Field

from configs import StrictModel, parse
from service.config import Count, KeyFile, Name
from service.errors import CannotServe

ENVIRONMENT = "LUMENSCRIBE_KEYS"
_MOST_SESSIONS = 1000


class Key(StrictModel):
    """A key by its hash. `requests_a_minute` None: as limits.requests_a_minute says."""

    name: Name
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    requests_a_minute: Count | None = None


class KeyList(StrictModel):
    """The file's content, under the key `keys`."""

    keys: list[Key]


@dataclass(frozen=True)
class _Session:
    key: Key
    ends: float


class Keys:
    """The keys there are. False where there are none: then everybody may ask."""

    def __init__(self, keys: Sequence[Key], session_s: float) -> None:
        self._keys = tuple(keys)
        self._session_s = session_s
        self._sessions: dict[str, _Session] = {}
        self._lock = threading.Lock()
        names = [key.name for key in keys]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise CannotServe(f"two keys are named {twice}")

    @classmethod
    def read(cls, config: KeyFile) -> Keys:
        """Those of the file and of LUMENSCRIBE_KEYS. Raises CannotServe and ConfigError."""
        keys = _from_environment(os.environ.get(ENVIRONMENT, ""))
        if config.file is not None:
            try:
                listed = yaml.safe_load(config.file.read_text(encoding="utf-8"))
            except (OSError, ValueError, yaml.YAMLError) as error:
                raise CannotServe(f"keys.file {config.file} cannot be read: {type(error).__name__}") from None
            keys += parse(KeyList, {"keys": listed}, config.file.name).keys
        return cls(keys, config.session_hours * 3600)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def find(self, secret: str) -> Key | None:
        """The key that a client sent, if it is one."""
        digest, found = _digest(secret), None
        for key in self._keys:  # all of them, so that time tells nothing
            if hmac.compare_digest(key.sha256, digest):
                found = key
        return found

    def begin_session(self, key: Key) -> tuple[str, int]:
        """A token that stands for the key until it ends, and for how many seconds."""
        token, now = secrets.token_urlsafe(32), time.monotonic()
        with self._lock:
            self._sessions = {of: session for of, session in self._sessions.items() if session.ends > now}
            while len(self._sessions) >= _MOST_SESSIONS:
                self._sessions.pop(next(iter(self._sessions)))
            self._sessions[_digest(token)] = _Session(key, now + self._session_s)
        return token, int(self._session_s)

    def of_session(self, token: str) -> Key | None:
        """The key that a session was begun with, where it has not ended."""
        with self._lock:
            session = self._sessions.get(_digest(token))
        return None if session is None or session.ends <= time.monotonic() else session.key

    def end_session(self, token: str) -> None:
        """Logs out."""
        with self._lock:
            self._sessions.pop(_digest(token), None)


def new_key(name: str) -> tuple[str, str]:
    """A new key, which is shown once, and the line of the keys' file that knows it."""
    secret = "lms_" + secrets.token_urlsafe(32)
    key = parse(Key, {"name": name, "sha256": _digest(secret)}, "--new-key")
    return secret, f"- {{name: {key.name}, sha256: {key.sha256}}}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _from_environment(text: str) -> list[Key]:
    """`name:sha256,name:sha256:requests_a_minute`. Raises CannotServe, which does not say what is there."""
    keys = []
    for number, entry in enumerate(filter(None, (part.strip() for part in text.split(","))), start=1):
        parts = entry.split(":")
        given = dict(zip(("name", "sha256", "requests_a_minute"), parts, strict=False))
        try:
            keys.append(Key.model_validate(given if len(parts) <= 3 else {}))
        except ValueError:
            raise CannotServe(
                f"{ENVIRONMENT}: entry {number} is not NAME:SHA256 or NAME:SHA256:REQUESTS_A_MINUTE (the hash, never "
                f"the key itself; serve --new-key NAME makes both)"
            ) from None
    return keys
