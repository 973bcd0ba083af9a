"""`models list` and `models recommend`, and the tables of a bench on a GPU."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from cli import main
from configs import names
from vlm import list_models
from vlm.cost.recommend import recommend
from vlm.cost.tables import gpu_lines


@pytest.fixture
def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.mark.usefixtures("empty_cache")
def test_the_list_says_what_is_here_and_how_to_get_the_rest() -> None:
    text = CliRunner().invoke(main, ["models", "list"]).stdout
    lines = {line.split()[0]: line for line in text.splitlines()}
    assert set(lines) == {"model", *names("models")}
    assert lines["pocket"].endswith("yes")
    assert lines["server"].endswith("its server's")
    assert "2,209 M" in lines["qwen2-vl-2b"]
    assert lines["qwen2-vl-2b"].endswith("python cli.py models pull qwen2-vl-2b")


@pytest.mark.usefixtures("empty_cache")
def test_the_list_as_json() -> None:
    found = [json.loads(line) for line in CliRunner().invoke(main, ["models", "list", "--json"]).stdout.splitlines()]
    assert [row["name"] for row in found] == [entry.config.name for entry in list_models()]
    by_name = {row["name"]: row for row in found}
    assert by_name["pocket"]["on_this_machine"]
    assert by_name["pocket"]["get"] is None
    assert by_name["qwen3-8b"]["parameters"] == 8_190_735_360
    assert by_name["qwen3-8b"]["get"] == "python cli.py models pull qwen3-8b"


def fits(vram: float, what: str) -> set[tuple[str, str]]:
    return {(one.model, one.quantisation) for one in recommend(vram) if getattr(one, f"{what}_fits")}


def test_what_fits_into_16_gib() -> None:
    """Anchors that do not hang on the allowances: 7 B weights alone are 15.4 GiB in 16 bits and 5.6 in NF4."""
    read, tuned = fits(16, "describing"), fits(16, "tuning")
    assert {("qwen2.5-vl-7b", "nf4"), ("qwen2.5-vl-7b", "int8"), ("smolvlm-500m", "none")} <= read
    assert ("llama-3.2-11b-vision", "none") not in read
    assert ("qwen2.5-vl-7b", "none") not in read
    assert {("qwen2.5-vl-7b", "nf4"), ("qwen2-vl-2b", "none")} <= tuned
    assert ("qwen2-vl-7b", "none") not in tuned
    assert not [quantisation for _, quantisation in tuned if quantisation == "int8"]


def test_more_memory_never_fits_less() -> None:
    before: set[tuple[str, str]] = set()
    for vram in (1, 4, 8, 24, 80):
        now = fits(vram, "describing")
        assert before <= now
        before = now
    assert before == {(n, q) for n in names("models") if n != "server" for q in ("none", "nf4", "int8")}


def test_the_recommendation_as_a_table_and_as_json() -> None:
    text = CliRunner().invoke(main, ["models", "recommend", "--vram", "8"]).stdout
    assert "Into 8 GiB, by arithmetic, not measured" in text
    assert len([line for line in text.splitlines() if " nf4 " in line]) == len(names("models")) - 1
    lines = CliRunner().invoke(main, ["models", "recommend", "--vram", "8", "--json"]).stdout.splitlines()
    assert [json.loads(line)["model"] for line in lines] == [one.model for one in recommend(8)]


def test_a_gpu_of_nothing_is_refused() -> None:
    done = CliRunner().invoke(main, ["models", "recommend", "--vram", "0"])
    assert done.exit_code == 2
    assert "error: --vram 0: a GPU's memory is more than 0 GiB" in done.stderr


def test_the_gpu_table_shows_the_bound_beside_what_was_measured() -> None:
    rows = [
        {"quantisation": "none", "device": "H200", "reckoned_mib": 1000.0, "after_load_mib": 1010.0},
        {"quantisation": "nf4", "device": "H200", "reckoned_mib": 360.0, "after_load_mib": 383.8},
        {"quantisation": "int8", "error": "no", "reckoned_mib": 500.0},
    ]
    assert gpu_lines(rows)[-1] == "| nf4 | 64.0 % | 62.0 % | 2.0 |"
    assert gpu_lines([{**row, "device": "cpu"} for row in rows[:2]]) == ["GPU: not measured."]
