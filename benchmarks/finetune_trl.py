"""A step of our training beside one of a plain TRL script: peak memory and samples a second, all settings the same.

    python benchmarks/finetune_trl.py --model smolvlm-500m --method qlora --batch 4 --steps 12 --out runs/finetune_trl
    python benchmarks/finetune_trl.py --model pocket --method lora --batch 2 --steps 4 --rounds 1 --image-side 224

Both sides read the same records (prompt and completion), all of one length, each side in its own order, so losses are
near and not equal. They adapt the same layers with the same rank; take the same optimiser, precision and activation
checkpointing; nothing is cut off (`max_length=None`). Ours is `Encoder`, `answer_loss` and `adapt` under transformers'
Trainer, theirs SFTTrainer as its documentation has it: for qlora it holds the adapter in bf16, ours is fp32. Each side
is a process of its own a round, the sides in turn. Models whose files are not here get random weights of their true
shape. Written to OUT.json: medians, each round, and the arithmetic of vlm/cost/memory.py. It runs on a GPU where there
is one, else on the CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from machine import recipe  # isort: skip - it puts the root on the path

import torch

from finetune.config import DataConfig, FinetuneConfig, LoraConfig, TrainingConfig
from vlm import ModelConfig, load_model_config

SIDES = ("ours", "trl")
PACKAGES = ("torch", "transformers", "peft", "trl", "bitsandbytes", "numpy")
WARM = 2
"""Steps at the beginning that are not timed."""
RECORDS = 16


def main() -> None:
    given = _arguments()
    if given.side:
        print(json.dumps(_measured(given)))
        return
    given.path = _weights(given)
    rounds: list[dict[str, Any]] = []
    for number in range(given.rounds):
        for side in SIDES if number % 2 == 0 else SIDES[::-1]:
            rounds.append({"side": side, **_in_own_process(given, side)})
            print(json.dumps(rounds[-1]), flush=True)
        told = _written(given, rounds)
    print(json.dumps({key: value for key, value in told.items() if key != "rounds"}, indent=1))


def _written(given: argparse.Namespace, rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """What was found so far, which a machine lent for minutes may take away."""
    told = {"settings": _settings(given), "reckoned_mib": _reckoned(given), **_summary(rounds), "rounds": rounds}
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.with_suffix(".json").write_text(json.dumps({"recipe": recipe(PACKAGES), **told}, indent=1) + "\n")
    return told


def _summary(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians a side, and ours through theirs."""
    sides = {
        side: {
            key: statistics.median(r[key] for r in rounds if r["side"] == side)
            for key in ("peak_mib", "samples_per_s", "step_s", "tokens", "last_loss")
        }
        for side in SIDES
    }
    ours, theirs = sides["ours"], sides["trl"]
    return {**sides, "ours_through_trl": {key: ours[key] / theirs[key] for key in ("peak_mib", "samples_per_s")}}


def _in_own_process(given: argparse.Namespace, side: str) -> dict[str, Any]:
    command = [sys.executable, __file__, *sys.argv[1:], "--side", side]
    done = subprocess.run(
        [*command, *([] if given.path is None else ["--path", str(given.path)])],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "TOKENIZERS_PARALLELISM": "false"},
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"error: the side {side} failed; its own words are above")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _weights(given: argparse.Namespace) -> Path | None:
    """The model's folder; random weights are written where it has none. None: its configuration's own."""
    from vlm.cost.untrained import write_untrained
    from vlm.weights import on_disk

    config = load_model_config(given.model, path=given.path)
    if given.path or on_disk(config):
        return given.path  # type: ignore[no-any-return]
    folder = given.out.parent / f"untrained-{given.model}"
    if not (folder / "config.json").is_file():
        write_untrained(config, folder, torch.bfloat16)
    return folder


def _reckoned(given: argparse.Namespace) -> dict[str, float]:
    """What vlm/cost/memory.py says of our side."""
    from finetune.adapt import base_config
    from vlm.cost.memory import tuning
    from vlm.cost.work import Work

    work = Work(given.batch, given.text_tokens, given.new_tokens, given.image_side)
    memory = tuning(base_config(_config(given)), _device(), work, given.rank)
    return {name: round(size / 2**20, 1) for name, size in memory.terms.items()}


def _measured(given: argparse.Namespace) -> dict[str, Any]:
    """One side: loads, trains, counts."""
    warnings.simplefilter("ignore")
    from transformers import TrainerCallback

    from finetune.adapt import base_config
    from vlm.cost.measure import Memory
    from vlm.weights import find_files

    base = base_config(_config(given))
    if base.quantisation != "none":
        import bitsandbytes  # noqa: F401 - its code is no part of what training takes
    memory, ends = Memory(), []

    class Clock(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            ends.append(time.perf_counter())

    trainer = (_ours if given.side == "ours" else _theirs)(given, base, find_files(base))
    trainer.add_callback(Clock())
    tokens = next(iter(trainer.get_train_dataloader()))["input_ids"].shape[1]
    loaded = memory.now()
    trainer.train()
    taken = (ends[-1] - ends[WARM - 1]) / (len(ends) - WARM)
    return {
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "after_load_mib": round(loaded, 1),
        "peak_mib": round(memory.peak(), 1),
        "step_s": round(taken, 4),
        "samples_per_s": round(given.batch / taken, 4),
        "tokens": tokens,
        "last_loss": round(trainer.state.log_history[-2]["loss"], 4),
        "trained": sum(p.numel() for p in trainer.model.parameters() if p.requires_grad),
    }


def _ours(given: argparse.Namespace, base: ModelConfig, folder: Path) -> Any:
    from transformers import Trainer, TrainingArguments

    from finetune.adapt import adapt, checkpoint_activations
    from finetune.encode import Encoder
    from finetune.loss import answer_loss
    from vlm.loading import load

    family = base.how
    adapted = adapt(load(base, folder, None, training=True), base, _config(given))
    loaded = adapted.loaded
    encoder = Encoder(family, loaded.processor, loaded.tokenizer, loaded.control, loaded.stop_ids, 100_000)

    class Ours(Trainer):
        model_accepts_loss_kwargs = True

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None  # noqa: ARG002
        ) -> Any:  # fmt: skip
            return answer_loss(family, model, inputs, num_items_in_batch)

    checkpoint_activations(adapted)
    data = _Lessons(_records(given, loaded.tokenizer))
    options = TrainingArguments(**_arguments_of_both(given))
    return Ours(model=adapted.model, args=options, data_collator=encoder, train_dataset=data)


class _Lessons(torch.utils.data.Dataset):
    """The records as ours are read: each image from its file."""

    def __init__(self, records: Any) -> None:
        self._records = records

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, place: int) -> Any:
        from finetune.lesson import Lesson
        from imaging import LoadedImage
        from vlm import Message, Prompt

        row = self._records[place]
        image = LoadedImage(f"image-{place}", row["images"][0], sha256=f"{place:064x}", phash=f"{place:016x}")
        prompt = Prompt((Message("user", (image, row["prompt"][0]["content"])),), "bench", "0" * 12)
        return Lesson(f"r{place}", prompt, row["completion"][0]["content"])


def _theirs(given: argparse.Namespace, base: ModelConfig, folder: Path) -> Any:
    """As TRL's documentation has it."""
    import peft
    from transformers import AutoModelForImageTextToText, AutoProcessor, BitsAndBytesConfig
    from trl import SFTConfig, SFTTrainer

    from vlm.precision import compute_dtype, kept_linears, without_weights

    dtype = compute_dtype(base, _device())
    options: dict[str, Any] = {"dtype": dtype}
    if base.quantisation == "nf4":
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype,
            llm_int8_skip_modules=kept_linears(base, without_weights(base, folder), _device(), str(folder)),
        )  # fmt: skip
        options["device_map"] = {"": _device()}
    model = AutoModelForImageTextToText.from_pretrained(folder, **options)
    processor = AutoProcessor.from_pretrained(folder)
    lora = peft.LoraConfig(
        r=given.rank, lora_alpha=2 * given.rank, lora_dropout=0.05, target_modules=base.how.lora_targets
    )
    arguments = SFTConfig(
        max_length=None, gradient_checkpointing=True, gradient_checkpointing_kwargs={"use_reentrant": False},
        **_arguments_of_both(given),
    )  # fmt: skip
    data = _records(given, processor.tokenizer)
    return SFTTrainer(model=model, args=arguments, train_dataset=data, processing_class=processor, peft_config=lora)


def _arguments_of_both(given: argparse.Namespace) -> dict[str, Any]:
    cuda = torch.cuda.is_available()
    return {
        "output_dir": str(given.out.parent / "trainer"), "per_device_train_batch_size": given.batch,
        "max_steps": given.steps, "learning_rate": 2e-4, "lr_scheduler_type": "constant", "optim": "adamw_torch",
        "bf16": cuda, "use_cpu": not cuda,
        "dataloader_pin_memory": cuda, "remove_unused_columns": False, "save_strategy": "no", "report_to": "none",
        "logging_steps": 1, "disable_tqdm": True, "seed": 0,
    }  # fmt: skip


def _records(given: argparse.Namespace, tokenizer: Any) -> Any:
    """Records in TRL's form. Images are JPEGs of soft noise, read from their files whenever a record is asked for."""
    import numpy as np
    from datasets import Dataset, Image, List
    from PIL import Image as Pillow

    from vlm.cost.measure import _text

    folder = given.out.parent / f"images-{given.image_side}"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(RECORDS):
        file = folder / f"{number}.jpg"
        if not file.is_file():
            small = np.random.default_rng(number).integers(0, 255, (32, 32, 3), dtype=np.uint8)
            Pillow.fromarray(small).resize((given.image_side, given.image_side)).save(file)
    asked, said = _text(tokenizer, given.text_tokens), _text(tokenizer, given.new_tokens)
    return Dataset.from_dict(
        {
            "images": [[str(folder / f"{number}.jpg")] for number in range(RECORDS)],
            "prompt": [[{"role": "user", "content": asked}]] * RECORDS,
            "completion": [[{"role": "assistant", "content": said}]] * RECORDS,
        }
    ).cast_column("images", List(Image()))


def _config(given: argparse.Namespace) -> FinetuneConfig:
    return FinetuneConfig(
        name="finetune-trl", model=given.model, path=given.path, data=DataConfig(folder=Path("-")), method=given.method,
        lora=LoraConfig(rank=given.rank, alpha=2 * given.rank, dropout=0.05),
        training=TrainingConfig(batch_size=given.batch, accumulation=1),
    )  # fmt: skip


def _settings(given: argparse.Namespace) -> dict[str, Any]:
    names = ("model", "method", "rank", "batch", "steps", "rounds", "text_tokens", "new_tokens", "image_side")
    return {name: getattr(given, name) for name in names}


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smolvlm-500m", help="a name of configs/models/")
    parser.add_argument("--path", type=Path, help="folder with its files; none: its own, or random weights")
    parser.add_argument("--method", choices=("lora", "qlora"), default="qlora")
    parser.add_argument("--device", choices=("auto", "cpu"), default="auto")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=12, help=f"the first {WARM} are not timed")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--text-tokens", type=int, default=256)
    parser.add_argument("--new-tokens", type=int, default=128)
    parser.add_argument("--image-side", type=int, default=512)
    parser.add_argument("--out", type=Path, default=Path("runs/finetune_trl"))
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.steps <= WARM:
        parser.error(f"--steps {given.steps}: the first {WARM} are not timed, so take more")
    if given.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    return given


if __name__ == "__main__":
    main()
