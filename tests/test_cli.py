"""The command line, run as a user runs it: what it prints, where, and its exit code."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import cli
import configs

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def smear(demo: Path) -> str:
    return str(demo / "smear.png")


@pytest.fixture
def run() -> Run:
    return lambda *args: CliRunner().invoke(cli.main, [str(arg) for arg in args], catch_exceptions=False)


def one_line(result: Result) -> str:
    """The single `error:` line of a refused command."""
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    return lines[0]


def without_timings(line: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(line)
    record.pop("timings_s")
    return record


def test_a_caption_for_people(run: Run, smear: str) -> None:
    result = run("caption", "--image", smear)
    assert result.exit_code == 0
    assert "smear" in result.stdout.lower()
    assert "[1]  example" in result.stdout
    assert "starter" in result.stdout
    assert "small embedded model" in result.stderr
    assert "--model" in result.stderr


def test_the_same_command_twice_gives_the_same_bytes(run: Run, smear: str) -> None:
    first, second = (run("caption", "--image", smear, "--json").stdout for _ in range(2))
    assert without_timings(first) == without_timings(second)


def test_several_images_come_in_the_order_asked(run: Run, demo: Path) -> None:
    images = [demo / "ihc.png", demo / "smear.png"]
    result = run("caption", "--json", "--no-rag", *(part for image in images for part in ("--image", image)))
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == ["ihc", "smear"]


def test_options_reach_the_record(run: Run, smear: str) -> None:
    result = run(
        "caption", "--image", smear, "--json", "--k", 2, "--prompt", "few_shot_passages", "--seed", 7,
        "--set", "generation.max_new_tokens=5",
    )  # fmt: skip
    record = json.loads(result.stdout)
    assert [e["kind"] for e in record["evidence"]] == ["example", "example", "passage", "passage"]
    assert record["prompt"].startswith("few_shot_passages@")
    assert record["seed"] == 7
    assert record["params"]["max_new_tokens"] == 5
    assert record["tokens"]["new"] == 5


def test_no_rag_shows_no_evidence(run: Run, smear: str) -> None:
    record = json.loads(run("caption", "--image", smear, "--no-rag", "--json").stdout)
    assert record["evidence"] == []
    assert record["index"] is None


def test_a_question_is_answered(run: Run, smear: str) -> None:
    record = json.loads(run("ask", "--image", smear, "--question", "What kind of image is this?", "--json").stdout)
    assert record["question"] == "What kind of image is this?"
    assert "smear" in record["answer"].lower()


def bad_files(folder: Path) -> dict[str, Path]:
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    png = io.BytesIO()
    Image.fromarray(noise).save(png, "PNG")
    files = {
        "empty": b"",
        "truncated": png.getvalue()[:5000],
        "no image": b"hello" * 100,
    }
    for name, data in files.items():
        (folder / f"{name}.png").write_bytes(data)
    Image.new("1", (20_000, 10_000)).save(folder / "huge.png")
    return {name: folder / f"{name}.png" for name in [*files, "huge", "missing"]}


REASONS = {
    "empty": "the file is empty",
    "truncated": "damaged image",
    "no image": "not an image in a format read here",
    "huge": "over the limit of 100 million pixels",
    "missing": "no such file",
}


@pytest.mark.parametrize("name", REASONS)
def test_a_bad_image_alone_is_one_line_and_exit_code_2(run: Run, tmp_path: Path, name: str) -> None:
    path = bad_files(tmp_path)[name]
    result = run("caption", "--image", path, "--no-rag")
    assert result.exit_code == 2
    assert REASONS[name] in one_line(result)
    assert str(path) in one_line(result)


def test_bad_images_among_good_ones_are_exit_code_1(run: Run, tmp_path: Path, smear: str) -> None:
    bad = bad_files(tmp_path)
    result = run("caption", "--no-rag", "--json", "--image", smear, *(p for b in bad.values() for p in ("--image", b)))
    assert result.exit_code == 1
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == ["smear"]
    assert result.stderr.count("error: ") == len(bad)


@pytest.mark.parametrize("mode", ["P", "CMYK", "RGBA", "LA", "L", "1", "I;16"])
def test_unusual_images_are_described(run: Run, tmp_path: Path, smear: str, mode: str) -> None:
    path = tmp_path / "image.tif"
    with Image.open(smear) as image:
        if mode == "I;16":
            Image.fromarray(np.asarray(image.convert("L"), np.uint16) * 200).save(path)
        else:
            image.convert(mode).save(path)
    result = run("caption", "--image", path, "--no-rag", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["caption"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "smolvlm-50m"], "did you mean 'smolvlm-500m'"),
        (["--prompt", "few_shots"], "did you mean 'few_shot'"),
        (["--set", "prompt.lenght=short"], "did you mean 'length'"),
        (["--set", "prompt.length"], "write it as key=value"),
        (["--config", "none.yaml"], "none.yaml: cannot be read"),
        (["--index", "nowhere"], "nowhere"),
        (["--adapter", "nowhere"], "nowhere"),
        (["--set", "model.path=nowhere"], "nowhere"),
        (["--prompt", "question"], "prompt question is for ask, not for caption"),
        (["--set", "prompt.example_images=true"], "puts 6 images into a prompt, but pocket reads 1"),
    ],
)
def test_a_wrong_request_is_one_line_and_exit_code_2(run: Run, smear: str, options: list[str], message: str) -> None:
    result = run("caption", "--image", smear, *options)
    assert result.exit_code == 2
    assert message in one_line(result)


def test_a_hub_out_of_reach_is_one_line(run: Run, smear: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    result = run("caption", "--image", smear, "--model", "smolvlm-500m", "--no-rag")
    assert result.exit_code == 2
    assert "smolvlm-500m" in one_line(result)
    assert "model.path" in one_line(result)


def test_a_half_written_index_is_refused(run: Run, smear: str, tmp_path: Path) -> None:
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "index.sqlite").touch()
    result = run("caption", "--image", smear, "--index", tmp_path / "half")
    assert result.exit_code == 2
    assert str(tmp_path / "half") in one_line(result)


def test_an_index_is_built_searched_and_refused_once_its_embedder_has_changed(
    run: Run, demo: Path, smear: str, tmp_path: Path
) -> None:
    shutil.copytree(configs.ROOT.parent / "pocket" / "weights" / "clip", tmp_path / "clip")
    embedder = tmp_path / "own.yaml"
    embedder.write_text(f"kind: open_clip\nfolder: {tmp_path / 'clip'}\n")
    records = [
        {"name": path.stem, "file": path.name, "says": f"Test {path.stem}."} for path in sorted(demo.glob("*.png"))
    ]
    images = shutil.copytree(demo, tmp_path / "images")
    (images / "records.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    config = tmp_path / "index.yaml"
    fields = "{id: name, image: file, caption: says}"
    config.write_text(
        f"out: {tmp_path / 'index'}\nimage_embedder: {embedder}\n"
        f"sources: [{{kind: folder, path: {images}, records: records.jsonl, fields: {fields}}}]\n"
    )
    assert run("index", "build", config).exit_code == 0
    found = run("index", "search", tmp_path / "index", "--image", smear, "--k", 1, "--json")
    assert json.loads(found.stdout)["text"] == "Test smear."

    tokenizer = tmp_path / "clip" / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text() + "\n")
    result = run("caption", "--image", smear, "--index", tmp_path / "index")
    assert result.exit_code == 2
    assert "was built with" in one_line(result)
    assert f"index build {config}" in one_line(result)


def test_the_starter_index_is_told_searched_and_verified(run: Run, smear: str) -> None:
    info = json.loads(run("index", "info", "--json").stdout)
    assert {space["name"] for space in info["spaces"]} == {"images", "passages"}
    found = run("index", "search", "--image", smear, "--k", 2, "--json").stdout.splitlines()
    assert [json.loads(line)["kind"] for line in found] == ["example", "example"]
    assert "smear" in json.loads(found[0])["text"].lower()
    kinds = [
        json.loads(line)["kind"] for line in run("index", "search", "--text", "chest", "--json").stdout.splitlines()
    ]
    assert set(kinds) == {"example", "passage"}
    assert run("index", "search", "--k", 1, "--text", "chest").stdout.strip()
    assert run("index", "verify").exit_code == 0
    assert run("index", "search").exit_code == 2


def test_a_record_is_replayed(run: Run, smear: str, tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    line = run("caption", "--image", smear, "--no-rag", "--json").stdout
    other = json.dumps(json.loads(line) | {"id": "other", "caption": "Not what it says."}) + "\n"
    old = json.dumps({"id": "old", "caption": "Made before."}) + "\n"
    record.write_text(line + other + old)

    same = run("replay", record, "--id", "smear")
    assert same.exit_code == 0
    assert "same     model" in same.stdout
    several = run("replay", record, "--json")
    assert several.exit_code == 1
    assert [json.loads(said)["result"] for said in several.stdout.splitlines()] == ["same", "different", "impossible"]
    assert run("replay", record, "--id", "old").exit_code == 2
    typed = CliRunner().invoke(cli.main, ["replay", "-"], input=line, catch_exceptions=False)
    assert typed.exit_code == 0
    assert "no record 'nobody'; there are smear, other, old" in one_line(run("replay", record, "--id", "nobody"))
    assert run("replay", tmp_path / "none.json").exit_code == 2


def test_only_evidence_under_an_allowed_licence_is_shown(run: Run, smear: str) -> None:
    free = json.loads(run("caption", "--image", smear, "--json").stdout)
    assert {e["license"] for e in free["evidence"]} == {"CC0-1.0"}
    rare = "pydicom test file; its README knows of no restriction on use"
    few = json.loads(run("caption", "--image", smear, "--json", "--license-allow", rare.upper()).stdout)
    assert {e["license"] for e in few["evidence"]} == {rare}
    assert len(few["evidence"]) == len(free["evidence"])
    assert [use["license"] for use in few["licenses"]] == [rare]
    assert run("index", "search", "--text", "cells", "--license-allow", "MIT").stdout == "Nothing found.\n"
    assert "states no licence" in one_line(run("caption", "--image", smear, "--license-allow", "unknown"))


def test_prompts_are_listed_and_shown(run: Run) -> None:
    listed = run("prompts", "list").stdout
    assert {"zero_shot", "few_shot", "question"} <= {line.split("@")[0] for line in listed.splitlines()}
    assert "{{{images}}}" in run("prompts", "show", "few_shot").stdout
    assert "did you mean 'few_shot'" in one_line(run("prompts", "show", "fewshot"))


def test_doctor_says_what_works(run: Run) -> None:
    result = run("doctor", "--json")
    findings = {finding["name"]: finding for finding in json.loads(result.stdout)}
    assert findings["embedder pocket-clip"]["state"] == "ok"
    assert findings["model pocket"]["state"] == "ok"
    assert findings["model qwen2-vl-2b"]["state"] == "missing"
    assert findings["model qwen2-vl-2b"]["mend"] == "python cli.py models pull qwen2-vl-2b"
    assert result.exit_code == 0


def test_a_choice_for_people_and_as_json(run: Run, smear: str) -> None:
    ask = (
        "ask",
        "--image",
        smear,
        "--question",
        "Is this a blood smear?",
        "--label",
        "yes",
        "--label",
        "no",
        "--no-rag",
    )
    result = run(*ask)
    assert result.exit_code == 0
    assert result.stdout.index("yes") < result.stdout.index("no\n")
    assert without_timings(run(*ask, "--json").stdout)["answer"] == "yes"
    assert "two or more answers" in one_line(run(*ask[:7]))


def test_a_chat_goes_on_until_an_empty_line(demo: Path) -> None:
    typed = "What kind of image is this?\nAre there platelets?\n\nnot asked\n"
    args = ["ask", "--image", str(demo / "smear.png"), "--chat", "--no-rag", "--json"]
    result = CliRunner().invoke(cli.main, args, input=typed, catch_exceptions=False)
    assert result.exit_code == 0
    first, second = map(without_timings, result.stdout.splitlines())
    assert (first["id"], second["id"]) == ("smear-1", "smear-2")
    assert second["history"] == [{"question": first["question"], "answer": first["answer"]}]
    result = CliRunner().invoke(cli.main, [*args, "--question", "What is it?"], input="", catch_exceptions=False)
    assert [without_timings(line)["question"] for line in result.stdout.splitlines()] == ["What is it?"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ([], "give --question, or --chat"),
        (["--chat", "--label", "yes", "--label", "no"], "give one of them"),
    ],
)
def test_questions_that_make_no_sense(options: list[str], reason: str, run: Run, smear: str) -> None:
    result = run("ask", "--image", smear, *options)
    assert result.exit_code == 2
    assert reason in result.stderr


def test_fields_of_documents(run: Run, smear: str, tmp_path: Path) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}))
    result = run("extract", "--image", smear, "--image", tmp_path / "none.png", "--schema", schema, "--json")
    assert result.exit_code == 1
    assert isinstance(without_timings(result.stdout)["fields"]["n"], int)
    assert "none.png" in result.stderr
    assert '"n": ' in run("extract", "--image", smear, "--schema", schema).stdout
    schema.write_text('{"type": "nope"}')
    assert "is no JSON Schema" in one_line(run("extract", "--image", smear, "--schema", schema))
