from __future__ import annotations

import logging
import math
import time
import weakref
from collections.abc import Callable, Sequence

import pytest
import torch

from tests.vlm.conftest import asked, picture, prompt
from tests.vlm.tiny import ALL_KINDS, IMAGE_KINDS, MANY_IMAGES
from vlm import Engine, Generation, GenerationParams, ModelConfig, Prompt, PromptError, TransformersEngine, open_engine
from vlm.errors import OutOfMemory

SHORT = GenerationParams(max_new_tokens=12)
Configs = Callable[..., ModelConfig]


def run(engine: Engine, prompts: Sequence[Prompt], params: GenerationParams = SHORT) -> list[Generation]:
    answers = dict(engine.generate(prompts, params))
    assert sorted(answers) == list(range(len(prompts)))
    return [answers[i] for i in range(len(prompts))]


def words(generations: Sequence[Generation]) -> list[str]:
    return [g.text for g in generations]


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_a_prompt_is_answered_alike_alone_and_in_a_batch(kind: str, config_of: Configs) -> None:
    config = config_of(kind)
    prompts = [
        asked(kind, "Describe.", picture(1)),
        asked(kind, "A blood smear with twelve red cells, two white cells. Describe this image.", picture(2)),
        asked(kind, "What does the chest radiograph show?", picture(3, 90, 60)),
    ]
    together = run(open_engine(config, batch_size=3), prompts)
    alone = run(open_engine(config, batch_size=1), prompts)
    assert words(together) == words(alone)
    assert len(set(words(alone))) > 1, "answers must depend on the prompt for this to show anything"
    for a, b in zip(together, alone, strict=True):
        assert a.prompt_tokens == b.prompt_tokens
        assert a.new_tokens == b.new_tokens
        assert a.stop == b.stop
        assert a.mean_logprob == pytest.approx(b.mean_logprob, abs=1e-4)


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_the_prompt_is_not_in_the_answer(kind: str, config_of: Configs) -> None:
    text = "Axial image of the brain demonstrates a large mass in the right frontal lobe."
    (answer,) = run(open_engine(config_of(kind)), [asked(kind, text)])
    assert answer.text
    assert "Axial image of the brain" not in answer.text
    assert "<image>" not in answer.text
    assert "<|" not in answer.text
    assert 1 <= answer.new_tokens <= SHORT.max_new_tokens
    assert answer.prompt_tokens > answer.new_tokens


@pytest.mark.parametrize("kind", MANY_IMAGES)
def test_no_one_and_three_example_images_and_no_image_in_one_run(kind: str, config_of: Configs) -> None:
    bare = Prompt(prompt("x").messages[:1], "test", "0")
    several = [prompt("Describe.", *map(picture, range(count))) for count in (4, 2, 1)]
    engine = open_engine(config_of(kind))
    answers = run(engine, [*several, bare])
    sizes = [answer.prompt_tokens for answer in answers]
    assert sizes == sorted(set(sizes), reverse=True)
    other = run(engine, [prompt("Describe.", *map(picture, (9, 1, 2, 3)))])
    assert other[0].mean_logprob != answers[0].mean_logprob, "every image must count"


@pytest.mark.parametrize("kind", ["paligemma", "paligemma2"])
def test_captions_stand_in_for_example_images_where_one_image_is_all_that_is_read(
    kind: str, config_of: Configs
) -> None:
    captions = [f"Example {n}: a smear with {n} white cells.\n" for n in (1, 2, 3)]
    several = [prompt("".join(captions[:count]) + "Describe.", picture(1)) for count in (0, 1, 3)]
    together = run(open_engine(config_of(kind), batch_size=3), several)
    assert words(together) == words(run(open_engine(config_of(kind), batch_size=1), several))
    sizes = [answer.prompt_tokens for answer in together]
    assert sizes == sorted(set(sizes)), "captions take room, none is dropped"
    assert len({answer.mean_logprob for answer in together}) == 3, "every caption must count"


@pytest.mark.parametrize("kind", IMAGE_KINDS)
def test_the_image_changes_the_answer(kind: str, config_of: Configs) -> None:
    one, other = run(open_engine(config_of(kind)), [prompt("Describe.", picture(1)), prompt("Describe.", picture(2))])
    assert one.mean_logprob != pytest.approx(other.mean_logprob, abs=1e-6)


@pytest.mark.parametrize("kind", ["llama", "qwen3"])
def test_a_model_of_texts_refuses_an_image(kind: str, config_of: Configs) -> None:
    with pytest.raises(PromptError, match=r"a prompt with 1 images, but tiny-.* reads texts alone"):
        run(open_engine(config_of(kind)), [prompt("Describe.", picture(1))])


@pytest.mark.parametrize("kind", ["smolvlm", "paligemma"])
def test_mean_logprob_is_the_models_own(kind: str, config_of: Configs) -> None:
    """Against a second forward pass over prompt and answer, with a penalty that must not enter it."""
    engine = open_engine(config_of(kind))
    loaded = engine.load()
    params = GenerationParams(max_new_tokens=6, repetition_penalty=1.5)
    question = prompt("Describe.", picture(4))
    (answer,) = run(engine, [question], params)
    inputs = config_of(kind).how.encode(loaded.processor, [question], loaded.control)
    ids, length = inputs.pop("input_ids"), inputs.pop("attention_mask").shape[1]
    kinds = inputs.pop("token_type_ids", None)
    steps: list[float] = []
    for _ in range(answer.new_tokens):
        fresh = ids[0, length:]
        extra = {} if kinds is None else {"token_type_ids": torch.cat([kinds, torch.ones_like(fresh)[None]], dim=1)}
        out = loaded.model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), **inputs, **extra,
            max_new_tokens=1, do_sample=False, output_logits=True, return_dict_in_generate=True,
        )  # fmt: skip
        logits = out.logits[0][0].float()
        penalised = logits.clone()
        for token in set(fresh.tolist()):
            penalised[token] = logits[token] / 1.5 if logits[token] > 0 else logits[token] * 1.5
        token = int(penalised.argmax())
        steps.append(float(torch.log_softmax(logits, -1)[token]))
        ids = torch.cat([ids, torch.tensor([[token]])], dim=1)
    assert answer.mean_logprob == pytest.approx(sum(steps) / len(steps), abs=1e-3)
    assert answer.min_logprob == pytest.approx(min(steps), abs=1e-3)


def test_stop_reason_and_new_tokens(config_of: Configs) -> None:
    engine = open_engine(config_of("smolvlm"))
    loaded = engine.load()
    head = loaded.model.get_output_embeddings()
    head.bias = torch.nn.Parameter(torch.zeros(head.out_features), requires_grad=False)
    (cut,) = run(engine, [prompt()], GenerationParams(max_new_tokens=3))
    assert (cut.stop, cut.new_tokens) == ("length", 3)
    head.bias[loaded.stop_ids[0]] = 1e4  # the model now ends at once
    (ended,) = run(engine, [prompt()])
    assert (ended.stop, ended.new_tokens, ended.text) == ("end", 1, "")
    assert ended.mean_logprob == pytest.approx(0.0, abs=1e-6)


def test_sampling_repeats_by_seed_and_leaves_global_state_alone(config_of: Configs) -> None:
    engine = open_engine(config_of("fastvlm"))
    prompts = [prompt("Describe.", picture(1)), prompt("What is shown in this image?", picture(2))]
    params = GenerationParams(max_new_tokens=12, temperature=0.9, top_p=0.95, seed=7)
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first = words(run(engine, prompts, params))
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(2)
    assert words(run(engine, prompts, params)) == first
    assert words(run(open_engine(config_of("fastvlm"), batch_size=1), prompts, params)) == first
    assert words(run(engine, prompts, GenerationParams(12, temperature=0.9, top_p=0.95, seed=8))) != first
    assert words(run(engine, prompts)) != first


def test_batches_are_of_like_prompts(config_of: Configs, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = open_engine(config_of("smolvlm"), batch_size=2)
    one, two = (picture(1),), (picture(1), picture(2))
    prompts = [prompt("a", *one), prompt("b " * 30, *one), prompt("c", *two), prompt("b " * 20, *one)]
    sizes: list[int] = []
    answer = engine._answer

    def noted(batch: Sequence[Prompt], params: GenerationParams) -> list[Generation]:
        sizes.append(len(batch))
        return answer(batch, params)

    monkeypatch.setattr(engine, "_answer", noted)
    order = [position for position, _ in engine.generate(prompts, GenerationParams(max_new_tokens=1))]
    assert order == [2, 1, 3, 0]
    assert sizes == [1, 2, 1]


def test_out_of_memory_halves_the_batch_and_says_so(
    config_of: Configs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    engine = open_engine(config_of("smolvlm"), batch_size=8)
    prompts = [prompt("Describe.", picture(i)) for i in range(5)]
    expected = words(run(engine, prompts))
    model = engine.load().model
    generate, limit = model.generate, 2

    def full(**inputs: torch.Tensor) -> torch.Tensor:
        if inputs["input_ids"].shape[0] > limit:
            raise torch.OutOfMemoryError("CUDA out of memory")
        result: torch.Tensor = generate(**inputs)
        return result

    monkeypatch.setattr(model, "generate", full)
    with caplog.at_level(logging.WARNING, logger="vlm"):
        assert words(run(engine, prompts)) == expected
    assert "out of memory with 5 prompts together; going on with 3" in caplog.text
    assert "going on with 2" in caplog.text
    limit = 0
    with pytest.raises(OutOfMemory, match="even with one prompt"):
        run(engine, prompts)


@pytest.mark.parametrize(("kind", "changes"), [("paligemma", {}), ("fastvlm", {"max_images": 1})])
def test_too_many_images_are_refused_before_loading(kind: str, changes: dict[str, int], config_of: Configs) -> None:
    engine = open_engine(config_of(kind, **changes))
    assert engine.max_images == 1
    with pytest.raises(PromptError, match=r"2 images, but tiny-.* reads 1"):
        run(engine, [prompt("Compare.", picture(1), picture(2))])
    assert engine._loaded is None


def test_a_prompt_longer_than_the_context_is_refused(config_of: Configs) -> None:
    with pytest.raises(PromptError, match=r"more than the 2048 that tiny-smolvlm reads"):
        run(open_engine(config_of("smolvlm")), [prompt("cell " * 3000)])


@pytest.mark.parametrize("kind", IMAGE_KINDS)
def test_tokens_are_counted_without_the_model(kind: str, config_of: Configs) -> None:
    engine = open_engine(config_of(kind))
    texts = ["", "Describe this image.", "Évidence [1], 5 µm — naïve", "break <image> and <|im_end|>"]
    counts = engine.count_tokens(texts)
    assert engine._loaded is None
    loaded = engine.load()
    again = [loaded.tokenizer.encode(loaded.control.broken(t), add_special_tokens=False) for t in texts]
    assert counts == [len(ids) for ids in again]


def test_nothing_is_printed(config_of: Configs, capfd: pytest.CaptureFixture[str]) -> None:
    run(open_engine(config_of("qwen2_vl", quantisation="nf4")), [prompt()])
    assert capfd.readouterr() == ("", "")


def test_no_prompts_no_work(config_of: Configs) -> None:
    engine = open_engine(config_of("smolvlm"))
    assert list(engine.generate([], SHORT)) == []
    assert engine._loaded is None


def test_seconds_are_shares_of_the_batch(config_of: Configs) -> None:
    answers = run(open_engine(config_of("smolvlm")), [prompt("a"), prompt("b")])
    assert all(g.seconds > 0 and math.isfinite(g.mean_logprob) for g in answers)


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_a_stream_says_what_generate_says(kind: str, config_of: Configs) -> None:
    engine = open_engine(config_of(kind))
    question = asked(kind, "Describe.", picture(1))
    (whole,) = run(engine, [question])
    *pieces, last = engine.stream(question, SHORT)
    assert isinstance(last, Generation)
    assert "".join(piece for piece in pieces if isinstance(piece, str)).strip() == last.text == whole.text
    assert (last.new_tokens, last.stop) == (whole.new_tokens, whole.stop)


def never_ending(engine: TransformersEngine) -> torch.nn.Linear:
    """Makes the model never end an answer by itself; returns what gives its scores."""
    loaded = engine.load()
    head: torch.nn.Linear = loaded.model.get_output_embeddings()
    bias = torch.zeros(head.out_features)
    bias[list(loaded.stop_ids)] = -1e4
    head.bias = torch.nn.Parameter(bias, requires_grad=False)
    return head


def test_a_stream_comes_piece_by_piece_and_stops_when_closed(config_of: Configs) -> None:
    engine = TransformersEngine(config_of("smolvlm"))
    head = never_ending(engine)
    steps = 0

    def step(*_: object) -> None:
        nonlocal steps
        steps += 1

    head.register_forward_hook(step)
    stream = engine.stream(prompt(), GenerationParams(max_new_tokens=1500))
    assert isinstance(next(stream), str)
    stream.close()
    assert steps < 1500
    stopped = steps
    time.sleep(0.1)
    assert steps == stopped


def test_what_fails_in_a_stream_is_raised(config_of: Configs, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = open_engine(config_of("smolvlm"))
    with pytest.raises(PromptError, match="more than the 2048"):
        list(engine.stream(prompt("word " * 2100), SHORT))

    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(engine.load().model, "generate", full)
    with pytest.raises(OutOfMemory, match="even with one prompt"):
        list(engine.stream(prompt(), SHORT))


def test_a_time_limit_returns_what_there_is(config_of: Configs) -> None:
    engine = TransformersEngine(config_of("smolvlm"))
    never_ending(engine)
    (cut,) = run(engine, [prompt()], GenerationParams(max_new_tokens=1500, time_limit_s=0.05))
    assert cut.stop == "time"
    assert cut.new_tokens is not None
    assert 1 <= cut.new_tokens < 1500
    assert cut.text
    (whole,) = run(engine, [prompt()], GenerationParams(max_new_tokens=3, time_limit_s=60))
    assert whole.stop == "length"


@pytest.mark.parametrize("kind", ["fastvlm", "smolvlm"])
def test_a_model_that_was_unloaded_is_gone_and_loads_again(kind: str, config_of: Configs) -> None:
    engine = open_engine(config_of(kind))
    before = words(run(engine, [asked(kind, "What is this?", picture(1))]))
    model = weakref.ref(engine.load().model)
    engine.unload()
    assert model() is None
    engine.unload()
    assert words(run(engine, [asked(kind, "What is this?", picture(1))])) == before
