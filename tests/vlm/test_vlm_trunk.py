"""Images that another model has read by the same trunk are not read again, and answers stay what they were."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.vlm.conftest import picture, prompt
from tests.vlm.test_vlm_engine import Configs, run, words
from vlm import GenerationParams, Prompt
from vlm.engine import TransformersEngine
from vlm.trunk import trunk_of

SHORT = GenerationParams(6)
TOWER = "model.vision_tower"
QUESTIONS = ("Describe.", "What does the chest radiograph show?", "A blood smear?")


def asked() -> list[Prompt]:
    return [prompt(question, picture(number)) for number, question in enumerate(QUESTIONS)]


def pixels_read(engine: TransformersEngine) -> list[int]:
    """How many pictures the tower reads from now on, each time."""
    seen: list[int] = []
    tower = engine.load().model.get_submodule(f"{TOWER}.timm_model")
    tower.conv_stem.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    return seen


def read_by_it(engine: TransformersEngine, *prompts: Prompt) -> None:
    """Leaves with the images what the engine's own tower makes of them."""
    loaded = engine.load()
    for each in prompts:
        inputs = engine._config.how.encode(loaded.processor, [each], loaded.control)
        with torch.inference_mode():
            features = loaded.model.get_submodule(TOWER)(inputs["pixel_values"]).last_hidden_state
        for image, own in zip(each.images, features, strict=True):
            image.features[str(engine.trunk)] = own


@pytest.fixture
def engine(config_of: Configs) -> TransformersEngine:
    return TransformersEngine(config_of("fastvlm"), batch_size=3)


def test_answers_and_scores_are_those_of_pictures_read_anew(engine: TransformersEngine) -> None:
    prompts = asked()
    expected = run(engine, prompts, SHORT)
    scores = dict(engine.score(prompts, ("Yes.", "No.")))
    told = dict(engine.logprob(prompts, "A blood smear."))
    read_by_it(engine, *prompts)
    seen = pixels_read(engine)
    answers = run(engine, prompts, SHORT)
    assert words(answers) == words(expected)
    for a, b in zip(answers, expected, strict=True):
        assert (a.prompt_tokens, a.mean_logprob) == (b.prompt_tokens, pytest.approx(b.mean_logprob, abs=1e-5))
    for position, scored in engine.score(prompts, ("Yes.", "No.")):
        assert scored.probabilities == pytest.approx(scores[position].probabilities, abs=1e-5)
    assert dict(engine.logprob(prompts, "A blood smear.")) == pytest.approx(told, abs=1e-4)
    assert seen == []


def test_pixels_come_to_it_as_to_open_clip_to_the_bit(engine: TransformersEngine) -> None:
    from open_clip.transform import PreprocessCfg, image_transform_v2  # type: ignore[import-untyped]

    side = 224
    how = PreprocessCfg(side, mean=(0.5,) * 3, std=(0.5,) * 3, interpolation="bicubic", resize_mode="squash")
    prepare = image_transform_v2(how, is_train=False)
    processor = engine.load().processor.image_processor
    processor.image_mean = processor.image_std = [0.5] * 3
    processor.size = {"height": side, "width": side}
    for image in (picture(1, 700, 500), picture(2, 60, 90)):
        own = processor(images=[image.picture], return_tensors="pt")["pixel_values"][0]
        assert torch.equal(own, prepare(image.picture))


def test_what_was_read_is_what_is_seen(engine: TransformersEngine) -> None:
    own = prompt("Describe.", picture(1))
    before = dict(engine.logprob([own], "A blood smear."))
    read_by_it(engine, own)
    (image,) = own.images
    image.features[str(engine.trunk)] = -image.features[str(engine.trunk)]
    assert abs(dict(engine.logprob([own], "A blood smear."))[0] - before[0]) > 1e-3


def test_pictures_that_were_not_read_are(engine: TransformersEngine) -> None:
    """They are answered apart from the others, each as it would be alone."""
    prompts = asked()
    expected = run(engine, prompts, SHORT)
    read_by_it(engine, prompts[0], prompts[2])
    seen = pixels_read(engine)
    assert words(run(engine, prompts, SHORT)) == words(expected)
    assert seen == [1]
    both = prompt("Which?", prompts[0].images[0], picture(7))
    assert not engine.read_already(both)


def test_features_of_another_trunk_are_not_taken(engine: TransformersEngine) -> None:
    own = prompt("Describe.", picture(1))
    own.images[0].features["0" * 32] = torch.zeros(1)
    seen = pixels_read(engine)
    run(engine, [own], SHORT)
    assert seen == [1]


def test_a_tower_that_may_be_another_has_no_trunk(config_of: Configs, tmp_path: Path) -> None:
    plain = TransformersEngine(config_of("fastvlm"))
    assert plain.trunk is not None
    assert TransformersEngine(config_of("fastvlm"), adapter=tmp_path).trunk is None
    assert TransformersEngine.of(plain.load(), config_of("fastvlm")).trunk is None
    assert TransformersEngine(config_of("llava")).trunk is None


@pytest.mark.parametrize(
    ("file", "keys", "value"),
    [
        ("processor_config.json", ("image_processor", "do_center_crop"), True),
        ("processor_config.json", ("image_processor", "resample"), 2),
        ("config.json", ("vision_config", "model_type"), "clip_vision_model"),
    ],
)
def test_how_pixels_come_to_it_counts(
    file: str, keys: tuple[str, str], value: Any, folder_of: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(folder_of("fastvlm"), tmp_path / "model")
    assert trunk_of(folder, TOWER) is not None
    told = json.loads((folder / file).read_text())
    told[keys[0]][keys[1]] = value
    (folder / file).write_text(json.dumps(told))
    assert trunk_of(folder, TOWER) is None
