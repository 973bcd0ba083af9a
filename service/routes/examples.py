"""Answers as OpenAPI shows them, shortened to what reads."""

from __future__ import annotations

from typing import Any

_IMAGE = {
    "image": "smear.png",
    "sha256": "9f2c" + "0" * 60,
    "phash": "b13c4ed2a9165b6c",
    "pixels_sha256": "51ab" + "0" * 60,
}
_EVIDENCE = {
    "number": 1, "kind": "example", "id": "starter-smear-004", "source": "starter", "title": None,
    "text": "Blood smear with many red cells and one white cell.", "score": 0.9312, "rank": 1, "found_by": ["image"],
    "license": "CC0", "attribution": None, "url": None, "copies": [],
}  # fmt: skip
_ABOUT: dict[str, Any] = {
    "sentences": [],
    "evidence": [_EVIDENCE],
    "licenses": [{"license": "CC0", "attributions": [], "evidence": [1], "cited": True}],
    "left_out": {"own_id": 0, "same_file": 0, "same_article": 0, "look_alike": 0, "near_vector": 0, "instructions": 0},
    "conflicts": [],
    "copied": None,
    "confidence": None,
    "abstained": False,
    "abstained_because": None,
    "withheld": None,
    "warnings": [],
    "model": "pocket@393acdf5",
    "adapter": None,
    "prompt": "few_shot@caa69fd6",
    "prompt_sha256": "77e0" + "0" * 60,
    "index": "starter@1:1f2e3d4c",
    "params": {
        "max_new_tokens": 96, "temperature": 0.0, "top_p": 1.0, "repetition_penalty": 1.0, "time_limit_s": None,
    },
    "seed": 0,
    "stop": "end",
    "mean_logprob": -0.4127,
    "timings_s": {
        "decode": 0.004, "embed": 0.031, "retrieve": 0.002, "prompt": 0.001, "generate": 0.12, "check": 0.02,
        "total": 0.178,
    },
    "tokens": {"prompt": 214, "new": 15},
    "run": None,
}  # fmt: skip


def _record(task: str, **said: Any) -> dict[str, Any]:
    head: dict[str, Any] = {
        "id": "5e0c1f0a4d2b4c7c9a3f6f2f0c1d2e3f", "task": task, "article": None, "image": _IMAGE["image"],
        "image_sha256": _IMAGE["sha256"], "images": [_IMAGE], "acquisition": [{}],
    }  # fmt: skip
    return {**head, **said, **_ABOUT}


_TEXT = "Blood smear with many red cells and one white cell."
_SENTENCE = {"text": _TEXT, "citations": [1], "support": 1.0, "basis": "terms", "supported": True}

DESCRIPTION = _record("caption", caption=_TEXT) | {"sentences": [_SENTENCE]}
ANSWER = _record("ask", question="What kind of image is this?", answer="A blood smear.")
FIELDS = _record("extract", fields={"patient": "A"}, schema={"type": "object"})
EVENTS = 'event: text\ndata: {"text": "Blood smear "}\n\nevent: record\ndata: {"id": "5e0c1f0a", "caption": "..."}\n\n'
EVIDENCE = [_EVIDENCE | {"number": 0}]
