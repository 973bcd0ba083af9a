"""A calibration from the made archive, with an engine that is wrong in a way that its confidence shows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from made_archive import Archive, Seer, speaking

from configs import load
from evaluation.calibration.calibrate import Calibrated, calibrate, write
from evaluation.errors import CalibrationError
from evaluation.sets import EvaluationSet, read_set
from evaluation.show import calibration_text
from rag import Pipeline, open_pipeline
from rag.confidence import Calibration, Confidence
from rag.config import Settings, resolve
from rag.types import Description, Failure, Request
from vlm.types import Prompt


class Unsure(Seer):
    """Every third answer is wrong in its plane."""

    def answer(self, prompt: Prompt) -> str:
        said = super().answer(prompt)
        return said.replace("Axial", "Sagittal").replace("Coronal", "Sagittal") if self.asked % 3 == 0 else said


class SurePipeline(Pipeline):
    """Its descriptions carry signals: one is lower where the text is wrong, one says nothing."""

    def run(self, requests: Sequence[Request]) -> Iterator[Description | Failure]:
        for place, outcome in enumerate(super().run(requests)):
            yield (
                replace(outcome, confidence=self.sure(place, outcome)) if isinstance(outcome, Description) else outcome
            )

    def sure(self, place: int, said: Description) -> Confidence | None:
        noise = place % 5 / 5
        plane = (0.3 if "Sagittal" in said.text else 0.7) + place % 4 / 8
        return Confidence(noise, {"agreement": plane, "nearness": noise}, votes={})


class BarePipeline(SurePipeline):
    """Its descriptions carry none."""

    def sure(self, *_: object) -> None:
        return None


def use(monkeypatch: pytest.MonkeyPatch, kind: type[Pipeline]) -> None:
    """Lets `calibrate` describe by pipelines of this kind, with an engine that is wrong at times."""

    def opened(*given: object) -> Pipeline:
        inner = open_pipeline(*given)  # type: ignore[arg-type]
        return kind(inner.settings, inner.speaker, inner.templates, inner.retriever)

    monkeypatch.setattr("evaluation.calibration.calibrate.open_pipeline", opened)
    speaking(monkeypatch, Unsure())


@pytest.fixture
def images(archive: Archive) -> EvaluationSet:
    return read_set(str(archive.records), fields=["article=case"], truth=["modality=kind", "plane=plane"])


@pytest.fixture
def settings(archive: Archive) -> Settings:
    return resolve(retrieval__index=str(archive.index), batch_size=4)


@pytest.fixture
def unsure(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, SurePipeline)


def made(settings: Settings, images: EvaluationSet, **asked: float) -> Calibrated:
    return calibrate(settings, images, lambda _: None, **asked)


@pytest.mark.usefixtures("unsure")
def test_a_calibration_says_what_it_was_made_from(settings: Settings, images: EvaluationSet) -> None:
    found = made(settings, images)
    about = found.calibration.made_from
    assert (about["images"], about["articles"], about["right"]) == (40, 20, 27)
    assert str(about["index"]).startswith(f"{settings.retrieval.index}@1:")
    assert about["model"] == f"made@{'f' * 8}"
    assert about["coverage"] == 0.8
    weights = found.calibration.weights
    assert weights["agreement"] > 2 * abs(weights["nearness"])
    assert found.best.aurc < found.curve.aurc < found.curve.risk[-1]
    assert found.curve.risk[-1] == pytest.approx(13 / 40)
    assert found.risk.value < 13 / 40
    assert found.alone["agreement"] < found.alone["nearness"]
    assert found.fall.value > found.fall_before.value  # the score before is noise


@pytest.mark.usefixtures("unsure")
def test_a_risk_that_is_asked_for_is_kept(settings: Settings, images: EvaluationSet) -> None:
    found = made(settings, images, risk=0.1)
    assert found.curve.at(found.coverage) <= 0.1
    assert found.curve.at(found.coverage + 1 / 40) > 0.1
    with pytest.raises(CalibrationError, match=r"no threshold gives a risk of -1: the lowest here is 0\.000"):
        made(settings, images, risk=-1)


@pytest.mark.usefixtures("unsure")
def test_the_file_is_what_the_settings_read(settings: Settings, images: EvaluationSet, tmp_path: Path) -> None:
    found = made(settings, images)
    file, page, figures = write(found, tmp_path / "calibration.yaml")
    assert load(Calibration, file) == found.calibration
    as_json, _, _ = write(found, tmp_path / "other.json")
    assert json.loads(as_json.read_text()) == yaml.safe_load(file.read_text())
    assert page.read_text().count("<polyline") == 6  # of three curves, wide and narrow
    assert json.loads(figures.read_text())["aurc"] == found.curve.aurc
    assert "AURC" in calibration_text(found)


def test_descriptions_without_confidence_are_refused(
    settings: Settings, images: EvaluationSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, BarePipeline)
    with pytest.raises(CalibrationError, match="of 40 images the model says that it cannot tell"):
        made(settings, images)
