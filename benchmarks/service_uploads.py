"""What a hostile or broken client sends: whole HTTP requests, the nth always the same.

Each kind goes wrong in another way: in the file, in what is said of it, in the form around it, in the other fields, or
in the connection. `upload(n)` draws one.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

from service_forms import EDGE, TYPE, Part, form
from service_seeds import good_zip, seeds
from service_spoilt import EVIL_NAMES, SPOILT, good, spoilt_zip

WRITING, SEARCH, BATCHES = ("/caption", "/ask", "/analyze", "/extract"), "/search", "/batches"
SHARES = {
    "good": 2, "file": 60, "zip": 4, "name": 8, "content type": 6, "form": 8, "fields": 8, "connection": 4
}  # fmt: skip
"""How often each family comes, in per cent."""
NAMES = (
    *EVIL_NAMES, "a.dcm#frame=99", "a.zip!b.png", "a.parquet!3", "", " ", "\u00e4\u56f3\U0001f9ec.png",
    "%2e%2e%2fx.png",
    "a.png\r\nX-Injected: 1", 'a".png', "a;b=c.png", "http://localhost/a.png", "${jndi:ldap://x}", "{{7*7}}",
    "=1+1.png",
    "<img src=x onerror=alert(1)>.png", "x" * 9_000, "a.png#frame=-1", "#frame=2",
)  # fmt: skip
TYPES = (
    "image/png", "application/dicom", "text/html", "", "image/png; charset=utf-7", "multipart/mixed; boundary=x",
    "x" * 5_000,
    "application/zip", "image/svg+xml", "application/x-www-form-urlencoded", "\u00e4/\u00f6", "image/*",
    "message/rfc822",
)  # fmt: skip
FORM_TYPES = (
    "multipart/form-data", "multipart/form-data; boundary=", f"multipart/form-data; boundary={'b' * 300}",
    "multipart/form-data; boundary=other", "multipart/mixed; boundary=" + EDGE, "application/json", "text/plain", "",
    "application/x-www-form-urlencoded", f"multipart/form-data; boundary={EDGE}; boundary=x", "image/png",
    f'multipart/form-data; boundary="{EDGE}', "multipart/form-data; boundary=\u00e4",
    f"MULTIPART/FORM-DATA;BOUNDARY={EDGE}",
)  # fmt: skip
WORDS = (
    "", " ", "-1", "0", "1e400", "nan", "99999999999999999999", "true", "null", "[]", "{}", "\0", "\ud800", "\u202e",
    "../../etc/passwd", "/etc/passwd", "file:///etc/passwd", "http://169.254.169.254/latest/meta-data",
    "starter/../../x",
    "' OR 1=1 --", "${HOME}", "$(id)", "{{config}}", "x" * 30_000, "nosuchmodel", "\n\nSet-Cookie: a=b", "pocket\0",
)  # fmt: skip
FIELDS = (
    "k", "model", "prompt", "index", "retrieval", "length", "language", "seed", "article", "question", "labels",
    "schema",
    "text", "instruction", "frame", "image", "images", "unknown", "path", "url", "__proto__",
)  # fmt: skip
TRAPS = (
    "{" * 5_000, "[]", "true", "1", "", '{"enum": []}', '{"type": "nosuch"}', '{"properties": 5}', '{"$ref": "#"}',
    '{"$ref": "http://localhost:1/x.json"}', '{"$ref": "file:///etc/passwd"}',
    '{"type": "string", "pattern": "^(a+)+$"}', '{"type": "array", "minItems": 1000000}',
    '{"type": "object", "minProperties": 1e9}', '{"allOf": [{"type": "string"}, {"type": "integer"}]}',
    '{"type": "object", "properties": {"a": {"$ref": "#/$defs/x"}}}',
)  # fmt: skip
"""JSON Schemas that are none, cannot be satisfied, take long to match, or point elsewhere."""


@dataclass(frozen=True)
class Upload:
    """One request. `cut` is after how many bytes of the body the client leaves, None where it stays; `length` what it
    says of the body's length, None for the truth."""

    number: int
    kind: str
    path: str
    content_type: str
    body: bytes
    cut: int | None = None
    length: int | None = None


def upload(number: int, seed: int = 0) -> Upload:
    """The request of that number."""
    rng = random.Random(f"{seed}-{number}")
    family = rng.choices(list(SHARES), list(SHARES.values()))[0]
    if family == "good":
        return _sent(number, "good", rng.choice(("/caption", SEARCH)), [_image(*good(rng))])
    if family == "file":
        kind = rng.choices(list(SPOILT), [0.3 if kind == "bomb" else 1.0 for kind in SPOILT])[0]
        path = rng.choices((*WRITING, SEARCH), (3, 1, 1, 1, 6))[0]
        return _sent(number, kind, path, [_image(*SPOILT[kind](rng)), *_needed(path)])
    if family == "zip":
        return _sent(
            number, "zip", BATCHES, [_image(*spoilt_zip(rng), name=rng.choice(("archive", "images", "image")))]
        )
    if family == "name":
        _, data = good(rng) if rng.random() < 0.3 else SPOILT["truncated"](rng)
        return _sent(number, "name", rng.choice(("/caption", SEARCH)), [_image(rng.choice(NAMES), data)])
    if family == "content type":
        return _odd_types(number, rng)
    return {"form": _broken_form, "fields": _odd_fields, "connection": _cut_off}[family](number, rng)


def _odd_types(number: int, rng: random.Random) -> Upload:
    name, data = SPOILT["truncated"](rng)
    part = Part("image", data, name, rng.choice(TYPES))
    whole = rng.choice(FORM_TYPES) if rng.random() < 0.7 else TYPE
    return Upload(number, "content type", rng.choice((*WRITING, SEARCH, BATCHES)), whole, form(part))


def _broken_form(number: int, rng: random.Random) -> Upload:
    """A form with a missing end, thousands of parts, parts without names, huge headers, noise between."""
    image = _image("seed.png", seeds()["seed.png"])
    whole = form(image)
    bodies = (
        lambda: whole[: rng.randrange(len(whole))],
        lambda: whole.replace(b"\r\n", b"\n"),
        lambda: form(*[Part(f"f{n}", b"x") for n in range(rng.choice((200, 5_000)))]),
        lambda: form(*[_image("seed.png", b"")] * rng.choice((20, 2_000))),
        lambda: whole.replace(b'name="image"', rng.choice((b"", b'name=""', b'name="image', b"name*=utf-8''%00"))),
        lambda: whole.replace(b"Content-Disposition", rng.choice((b"X-Y", b"Content-Disposition: x\r\nA", b"\0"))),
        lambda: f"--{EDGE}\r\nX-Big: {'y' * 100_000}\r\n\r\n--{EDGE}--".encode(),
        lambda: b"preamble" * 5_000 + whole,
        lambda: whole + rng.randbytes(5_000),
        lambda: (f"--{EDGE}\r\n" * 20_000).encode(),
        lambda: rng.randbytes(rng.choice((0, 1, 3_000))),
        lambda: form(Part("image", form(image), "a.png", f"multipart/mixed; boundary={EDGE}")),
    )
    return Upload(number, "form", rng.choice((*WRITING, SEARCH, BATCHES)), TYPE, rng.choice(bodies)())


def _odd_fields(number: int, rng: random.Random) -> Upload:
    """Fields with values that none should have; images that are paths or addresses; schemas that are traps."""
    path = rng.choices((*WRITING, SEARCH, BATCHES), (4, 4, 2, 3, 4, 1))[0]
    parts = [_image("seed.png", seeds()["seed.png"])] if rng.random() < 0.6 else []
    if rng.random() < 0.3:
        parts = [Part("image", rng.choice(WORDS).encode("utf-8", "surrogatepass"))]
    for _ in range(rng.choice((1, 2, 5))):
        value = rng.choice(WORDS).encode("utf-8", "surrogatepass")
        parts.append(Part(rng.choice(FIELDS), rng.choice((value, value, rng.randbytes(12)))))
    if path == "/extract":
        parts.append(Part("schema", _schema(rng).encode()))
    elif rng.random() < 0.5:
        parts += _needed(path)
    return _sent(number, "fields", path, parts)


def _schema(rng: random.Random) -> str:
    """A trap, or a schema of many levels."""
    deep: dict[str, object] = {"type": "string"}
    for _ in range(rng.choice((3, 300))):
        deep = {"type": "object", "properties": {"a": deep}, "required": ["a"]}
    return rng.choice((*TRAPS, json.dumps(deep)))


def _cut_off(number: int, rng: random.Random) -> Upload:
    """The client leaves in the middle, or says another length than it sends."""
    path = rng.choice((*WRITING, SEARCH, BATCHES))
    image = good_zip() if path == BATCHES else rng.choice(list(seeds().values()))
    body = form(_image("seed.png", image), *_needed(path))
    if rng.random() < 0.7:
        # After all of it is sent, too: then the request is under way, and its place must be freed.
        cut = rng.choice((0, rng.randrange(len(body)), rng.randrange(len(body)), len(body)))
        return Upload(number, "connection", path, TYPE, body, cut=cut)
    length = rng.choice((0, 1, len(body) - 1, len(body) + 1_000, 2**40, -1))
    return Upload(number, "connection", path, TYPE, body, cut=len(body), length=length)


def _image(file_name: str, data: bytes, name: str = "image") -> Part:
    return Part(name, data, file_name, "application/octet-stream")


def _needed(path: str) -> list[Part]:
    """The fields without which a request of this path is none."""
    wanted = {
        "/ask": ("question", b"What is shown?"),
        "/analyze": ("instruction", b"Describe it."),
        "/extract": ("schema", b'{"type": "object", "properties": {"a": {"enum": ["x"]}}, "required": ["a"]}'),
    }
    return [Part(*wanted[path])] if path in wanted else []


def _sent(number: int, kind: str, path: str, parts: list[Part]) -> Upload:
    return Upload(number, kind, path, TYPE, form(*parts))
