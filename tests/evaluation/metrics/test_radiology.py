"""Metrics by RadEval, which is not installed with us: a stub package stands for it, with its interface of version 2."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evaluation.metrics.measures import Asked
from evaluation.metrics.score import score_texts

REFERENCES = ("No effusion.", "A mass.", "No effusion.")
TEXTS = ["No effusion.", "", "A mass."]
ASKED = Asked(tuple("abc"), REFERENCES, tuple("abc"))
WORKS = "return {'radgraph_partial': [float(r == h) for r, h in zip(refs, hyps, strict=True)]}"

Installed = Callable[..., Path]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installed]:
    """Makes `import radeval` find a stub that does as told; the file that is returned has a line each time it opens."""
    log = tmp_path / "opened.txt"

    def install(opening: str = "pass", scoring: str = WORKS, version: str = "2.1.0") -> Path:
        about = tmp_path / f"radeval-{version}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: radeval\nVersion: {version}\n", encoding="utf-8")
        lines = [
            "from pathlib import Path",
            "class RadEval:",
            "    def __init__(self, *, metrics, per_sample, show_progress):",
            f"        {opening}",
            "        assert per_sample and not show_progress",
            f"        with Path({str(log)!r}).open('a') as log: log.write(','.join(metrics) + '\\n')",
            "    def __call__(self, *, refs, hyps):",
            "        assert all(hyps)",
            f"        {scoring}",
        ]
        (tmp_path / "radeval.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, "radeval", raising=False)
        return log

    yield install
    sys.modules.pop("radeval", None)


def test_radeval_is_opened_once_for_all_texts_and_foils_and_an_empty_text_has_0(installed: Installed) -> None:
    log = installed()
    found = score_texts("x", TEXTS, ASKED, ("radgraph",))
    assert found.values["radgraph"].tolist() == [1, 0, 0]
    assert len(found.foils) == 2
    assert log.read_text(encoding="utf-8").splitlines() == ["radgraph"]
    assert found.recipes["radgraph"].version == "radeval 2.1.0"


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"opening": "raise OSError('we could not connect to the hub')"}, "could not connect to the hub"),
        ({"scoring": "raise RuntimeError('no weights')"}, "no weights"),
        ({"scoring": "return {}"}, "radgraph_partial"),
        ({"version": "0.1.8"}, "radeval 0.1.8 has another interface: pip install 'radeval>=2'"),
    ],
)
def test_where_radeval_fails_its_metric_is_blank_with_the_reason_and_the_others_stand(
    installed: Installed, fault: dict[str, str], told: str
) -> None:
    installed(**fault)
    found = score_texts("x", TEXTS, ASKED, ("radgraph", "rouge1"))
    assert list(found.values) == ["rouge1"]
    assert list(found.recipes) == ["rouge1"]
    assert told in found.missing["radgraph"]
