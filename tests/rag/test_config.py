"""Settings refuse what they do not know, and say what was meant."""

from pathlib import Path

import pytest

from configs import ConfigError, parse
from indexer import IndexConfig
from rag import open_pipeline
from rag.config import resolve
from rag.types import Request
from vlm import ModelConfig
from vlm.engine import TransformersEngine


def test_the_order_is_defaults_then_file_then_set_then_option(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("prompt: {length: long}\nretrieval: {k: 7}\n")
    assert resolve().retrieval.k == 5
    assert resolve(file).retrieval.k == 7
    assert resolve(file).prompt.language == "English"
    assert resolve(file, ["retrieval.k=9"]).retrieval.k == 9
    assert resolve(file, ["retrieval.k=9"], retrieval__k=2).retrieval.k == 2
    assert resolve(file, [], retrieval__k=None).retrieval.k == 7


def test_a_model_setting_overrides_the_models_own_config() -> None:
    request = Request("r", ("r.png",))

    def model(*assignments: str) -> ModelConfig:
        settings = resolve(assignments=["retrieval.enabled=false", *assignments])
        engine = open_pipeline(settings, [request]).speaker.engine
        assert isinstance(engine, TransformersEngine)
        return engine._config

    assert model().vision_dtype == "bf16"
    assert model("model.vision_dtype=model").vision_dtype == "model"
    assert model("model.dtype=bf16").dtype == "bf16"


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("prompt.lenght=short", "unknown key 'prompt.lenght'; did you mean 'length'?"),
        ("retreival.k=1", "unknown key 'retreival'; did you mean 'retrieval'?"),
        ("retrieval.k=0", "retrieval.k: input should be greater than or equal to 1"),
        ("prompt.length=epic", "prompt.length"),
        ("prompt.length", "write it as key=value"),
        ("prompt.length=[", "not valid YAML"),
    ],
)
def test_a_wrong_assignment_is_named(assignment: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(assignments=[assignment])
    assert message in str(caught.value)
    assert assignment in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_misspelt_key_is_named_before_the_one_it_leaves_missing() -> None:
    with pytest.raises(ConfigError, match=r"unknown key 'sorces'; did you mean 'sources'\?"):
        parse(IndexConfig, {"out": "x", "sorces": []}, "mine.yaml")


def test_a_wrong_key_in_a_file_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("batchsize: 3\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml: unknown key 'batchsize'; did you mean 'batch_size'\?"):
        resolve(file)
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read"):
        resolve(tmp_path / "none.yaml")
