"""The real service with its page over HTTP, whose texts are written down here in place of a model's; for a browser.

    python page_server.py DATA PORT [real] [KEY=VALUE ...]

With `real` the embedded model describes. Else an image whose name says "slow" is written about for long, one that says
"busy" finds no place, and one that says "unsure" has its description withheld. What is under way is counted in
DATA/under_way.
"""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from job_makers import COMMAND, LIMITS
from PIL import Image

from indexer.types import Evidence, Example, Passage
from service.app import create_app
from service.asked import Asked, Upload
from service.config import load_config
from service.errors import Busy, NotThere
from service.jobs import Jobs
from service.logs import log_config
from service.server import Server
from service.service import Service, open_service

SENTENCES = ("Blood smear, light microscopy.", "About 15 red cells and one white cell.", "No parasites are seen.")
HOSTILE = '<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>'


def evidence(number: int, text: str, url: str | None = None) -> dict[str, Any]:
    """A piece of evidence as a record has it."""
    return {
        "number": number, "kind": "example", "id": f"case-{number}", "source": "archive", "title": None, "text": text,
        "score": 0.8 - number / 10, "rank": number, "found_by": ["image"], "license": "CC BY-NC 4.0",
        "attribution": "A. Author", "url": url, "copies": [],
    }  # fmt: skip


def record(asked: Asked | None = None, **over: Any) -> dict[str, Any]:
    """A record: two sentences with evidence, one without, a warning, captions that nobody should trust."""
    question = "" if asked is None else asked.request.question
    said = {"caption": " ".join(SENTENCES)} if not question else {"question": question, "answer": " ".join(SENTENCES)}
    found = [
        evidence(1, "Blood smear with red cells and one white cell.", "https://example.org/1?token=s3cret"),
        evidence(2, f"Blood smear. {HOSTILE}", "javascript:window.hurt=1"),
    ]
    retrieved = asked is None or asked.settings.retrieval.enabled
    before = [] if asked is None or not question else [f"goes on from {len(asked.request.history)} answers"]
    return {
        "id": "r1", "task": "ask" if question else "caption", **said,
        "sentences": [
            {"text": text, "citations": cites if retrieved else [], "support": 1.0 if cites else 0.2, "basis": None}
            for text, cites in zip(SENTENCES, ([1, 2], [1], []), strict=True)
        ],
        "evidence": found if retrieved else [],
        "licenses": [
            {"license": "CC BY-NC 4.0", "family": "CC BY-NC", "terms": ["non-commercial"], "cited": [1, 2], "shown": [],
             "attributions": ["A. Author"], "urls": []}
        ] if retrieved else [],
        "abstained": False, "abstained_because": None, "withheld": None,
        "warnings": [f"copied from [1]: 9 words in a row {HOSTILE}", *before], "model": "pocket@1", "adapter": None,
        "prompt": "few_shot@2", "index": "/home/somebody/secret/starter@1:2" if retrieved else None,
        "confidence": {"score": 0.74, "signals": {}, "votes": {}}, "timings_s": {"total": 0.5},
    } | over  # fmt: skip


class Canned(Service):
    """A service that says what is written here."""

    under_way = 0

    async def stream(self, asked: Asked, owner: str = "") -> AsyncIterator[str | dict[str, Any]]:  # noqa: ARG002
        name = asked.uploads[0].name
        if "busy" in name:
            raise Busy("64 requests are waiting already (desk.max_waiting)", 7)
        asked.decoded(self.config.limits)
        self._count(1)
        try:
            for word in " ".join(SENTENCES).split(" ") * (20 if "slow" in name else 1):
                yield f"{word} "
                await asyncio.sleep(0.2 if "slow" in name else 0.01)
        finally:
            self._count(-1)
        unsure = {"abstained": True, "abstained_because": "confidence 0.20 is below 0.50", "withheld": "Lies.",
                  "caption": "", "sentences": []} if "unsure" in name else {}  # fmt: skip
        yield record(asked, **unsure)

    async def search(
        self,
        k: int,
        index: str | None = None,  # noqa: ARG002 - as the service is called
        image: Upload | None = None,
        text: str | None = None,
    ) -> list[Evidence]:
        found = Example(f"case-{k}", f"By image {image.name}" if image else f"By words {text}", "archive")
        said = Passage("p-1", "A passage.", "pubmed", "1", title="A title")
        return [Evidence(found, 0.5, 1), Evidence(said, 0.4, 1)]

    def thumbnail(self, example: str, index: str | None = None) -> bytes:  # noqa: ARG002
        if not example.startswith("case-"):
            raise NotThere("no picture")
        file = io.BytesIO()
        Image.fromarray(np.full((40, 60, 3), 90, np.uint8)).save(file, "JPEG")
        return file.getvalue()

    def _count(self, change: int) -> None:
        self.under_way += change
        (self.config.data / "under_way").write_text(str(self.under_way))

    def _load(self) -> None:
        self._not_ready = ""


def main(data: Path, port: int, *given: str) -> None:
    real, said = "real" in given, [one for one in given if one != "real"]
    config = load_config(None, ["desk.processes=0", "limits.requests_a_minute=100000", *said], data=data, port=port)
    service = open_service(config) if real else Canned(config)
    if not real:
        service.jobs = Jobs(data / "jobs", LIMITS, COMMAND)
    app = create_app(service)
    Server(uvicorn.Config(app, port=port, log_config=log_config("error")), app.state.endings).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
