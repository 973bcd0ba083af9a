"""The ablation on a made archive, with an engine that repeats its evidence and one that looks at the image."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from made_archive import Archive, Engine

from evaluation.ablation import scores
from evaluation.ablation.arms import Arm, Plan
from evaluation.ablation.evidence import Chooser, partners
from evaluation.ablation.retrieval import Results, evaluate_retrieval, write
from evaluation.errors import EvaluationError, SetError
from evaluation.sets import EvaluationSet, read_set
from evaluation.show import retrieval_text
from indexer import Example, open_index
from rag.config import Settings, resolve


@pytest.fixture
def images(archive: Archive) -> EvaluationSet:
    return read_set(
        str(archive.records), ["split=dev"], ["article=case", "modality=kind"], ["modality=kind", "plane=plane"]
    )


@pytest.fixture
def settings(archive: Archive) -> Settings:
    return resolve(retrieval__index=str(archive.index), retrieval__k=3, batch_size=4)


def ablation(settings: Settings, images: EvaluationSet, folder: Path) -> Results:
    return evaluate_retrieval(settings, images, (1, 3), folder, tell=lambda _: None)


def content(results: Results, arm: Arm) -> float:
    return results.arms[arm].figures[scores.CONTENT].value


@pytest.mark.usefixtures("parrot")
def test_what_repeats_its_evidence_is_found_out(settings: Settings, images: EvaluationSet, tmp_path: Path) -> None:
    results = ablation(settings, images, tmp_path)
    plan = results.plan
    assert content(results, plan.arm("none")) == 0
    assert content(results, plan.main) == 1
    assert content(results, plan.arm("random")) < 0.9
    assert content(results, plan.arm("nearest", picture="blank")) == 1
    assert results.arms[plan.arm("nearest", picture="blank")].figures[scores.SAME].value == 1
    for arm in (plan.arm("swapped"), plan.arm("nearest", picture="swapped")):
        found = results.follows[arm]
        assert found.n > 4
        assert found.image is not None
        assert found.evidence is not None
        assert (found.image.value, found.evidence.value) == (0, 1)


@pytest.mark.usefixtures("seer")
def test_what_looks_at_the_image_is_told_from_it(settings: Settings, images: EvaluationSet, tmp_path: Path) -> None:
    results = ablation(settings, images, tmp_path)
    plan = results.plan
    same = [plan.arm(kind) for kind in ("none", "random", "oracle", "swapped")]  # type: ignore[arg-type]
    assert {content(results, arm) for arm in same} == {1}
    assert content(results, plan.arm("nearest", picture="blank")) < 0.6
    found = results.follows[plan.arm("nearest", picture="swapped")]
    assert found.image is not None
    assert found.image.value == 1
    by_name = {row.name: row.figures[scores.CONTENT] for row in results.differences}
    swapped = by_name[f"{plan.main.name} - {plan.arm('nearest', picture='swapped').name}"]
    assert swapped.value > 0
    assert swapped.p is not None
    assert by_name[f"{plan.main.name} - none"].value == 0


@pytest.mark.usefixtures("parrot")
def test_no_arm_is_shown_its_own_article(archive: Archive, settings: Settings) -> None:
    known = read_set(str(archive.records), ["split=train"], ["article=case"])  # the very images of the index
    own = {
        example.id: example.image_sha256 for example in open_index(archive.index).examples([c.id for c in known.cases])
    }
    planned = Chooser(settings, (1, 3), {"example"}, seed=0).plan(known.cases, chunk=5)
    plan = Plan((1, 3), ("best_first",), 3, "best_first")
    shown = 0
    for case in known.cases:
        for arm in plan.arms():
            found = planned.chosen[case.id].found(arm).evidence
            assert case.article not in {e.record.article for e in found}
            assert own[case.id] not in {e.record.image_sha256 for e in found if isinstance(e.record, Example)}
            assert len(found) == arm.k
            shown += len(found)
    assert shown > 24 * 10


@pytest.mark.usefixtures("parrot")
def test_the_oracle_is_the_caption_closest_to_the_reference(settings: Settings, images: EvaluationSet) -> None:
    planned = Chooser(settings, (1, 3), {"example"}, seed=0).plan(images.cases, chunk=16)
    for case in images.cases:
        best = planned.chosen[case.id].oracle
        assert len(best) == 3
        # Captions differ in plane, kind and a number: the closest one has the reference's plane and kind.
        assert best[0].text.split(", patient")[0] == case.caption.split(", patient")[0]
        assert planned.chosen[case.id].nearest[1].evidence[0].score >= max(e.score for e in best) - 1e-6


def test_every_image_is_swapped_with_one_of_another_article(images: EvaluationSet) -> None:
    found = partners(images.cases, seed=3)
    assert sorted(case.id for case in found.values()) == sorted(case.id for case in images.cases)
    assert all(found[case.id].article != case.article for case in images.cases)
    assert found != partners(images.cases, seed=4)
    with pytest.raises(SetError, match="one article has 2 of the 3 images"):
        partners(images.cases[:3], seed=0)


def test_arms_are_not_described_twice() -> None:
    plan = Plan((1, 3, 5), ("best_first", "best_last"), 5, "best_last")
    arms = plan.arms()
    assert len(arms) == len(set(arms)) == 1 + 3 * (1 + 2 * 2) + 3
    assert plan.main in arms
    assert [arm.k for arm in arms if arm.evidence == "nearest" and arm.order is None] == [1]
    assert len({arm.name for arm in arms}) == len(arms)


def test_a_second_run_goes_on_and_another_model_begins_anew(
    settings: Settings, images: EvaluationSet, tmp_path: Path, parrot: Engine
) -> None:
    first = ablation(settings, images, tmp_path)
    asked = parrot.asked
    assert asked == 16 * len(first.arms)
    assert ablation(settings, images, tmp_path).arms == first.arms
    assert parrot.asked == asked
    file = next((tmp_path / "predictions").glob("none-*.jsonl"))
    file.write_text(file.read_text()[:-30])  # as a run leaves it that was killed while it wrote
    assert ablation(settings, images, tmp_path).arms == first.arms
    assert parrot.asked == asked + 1
    parrot.fingerprint = "0" * 64
    ablation(settings, images, tmp_path)
    assert parrot.asked == 2 * asked + 1


def test_what_is_kept_is_of_this_evidence(
    settings: Settings, images: EvaluationSet, tmp_path: Path, parrot: Engine
) -> None:
    first = ablation(settings, images, tmp_path)
    parrot.asked = 0
    other = ablation(
        resolve(retrieval__index=settings.retrieval.index, retrieval__k=3, generation__seed=1), images, tmp_path
    )
    assert parrot.asked == 16 * len(first.arms)
    assert other.arms != first.arms


@pytest.mark.usefixtures("parrot")
def test_an_image_that_cannot_be_read_is_no_end(settings: Settings, archive: Archive, tmp_path: Path) -> None:
    rows = [{**json.loads(line), "kind": "CT"} for line in archive.records.read_text().splitlines()[24:34]]
    rows = [{**row, "image": str(archive.records.parent / row["image"])} for row in rows]
    rows[3]["image"] = "gone.png"
    (tmp_path / "records.jsonl").write_text("\n".join(map(json.dumps, rows)))
    results = ablation(settings, read_set(str(tmp_path), fields=["article=case"]), tmp_path / "out")
    assert len(results.images.cases) == 9
    assert [reason for reason in results.failures if "no such file" in reason]


@pytest.mark.usefixtures("parrot")
def test_a_set_without_an_image_is_refused(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").write_text('{"id": "a", "image": "gone.png", "caption": "CT"}')
    with pytest.raises(EvaluationError, match=r"no image can be read\. .*gone\.png: no such file"):
        ablation(settings, read_set(str(tmp_path)), tmp_path / "out")


@pytest.mark.usefixtures("parrot")
def test_results_are_a_page_and_figures(settings: Settings, images: EvaluationSet, tmp_path: Path) -> None:
    results = ablation(settings, images, tmp_path)
    figures, page = write(results, tmp_path)
    data = json.loads(figures.read_text())
    assert data["recipe"]["set"]["images"] == 16
    assert data["recipe"]["set"]["judged"] == {"modality": 16, "plane": 16}
    assert {row["evidence"] for row in data["arms"]} == {"none", "random", "nearest", "oracle", "swapped"}
    assert set(data["arms"][0]["by_modality"]) == {"CT", "MR"}
    assert "patient" not in figures.read_text()
    html = page.read_text()
    assert "of the chest, patient" in html
    assert not re.search(r"""(?:src|href)=["'](?!data:|#)|<script|@import|url\(""", html)
    assert html.count("<svg") == 2  # a wide and a narrow one
    text = retrieval_text(results)
    assert all(arm.name in text for arm in results.arms)


@pytest.mark.usefixtures("parrot")
def test_an_ablation_without_evidence_is_refused(settings: Settings, images: EvaluationSet, tmp_path: Path) -> None:
    bare = resolve(retrieval__index=settings.retrieval.index, prompt__template="zero_shot")
    with pytest.raises(EvaluationError, match="shows no evidence"):
        ablation(bare, images, tmp_path)
    with pytest.raises(EvaluationError, match="--no-rag leaves nothing to compare"):
        ablation(resolve(retrieval__enabled=False), images, tmp_path)
    with pytest.raises(EvaluationError, match="from 1 to 10"):
        evaluate_retrieval(settings, images, (0,), tmp_path, tell=lambda _: None)
