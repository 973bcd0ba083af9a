"""What the service may be told, and what clients may choose."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs import ConfigError
from service.asked import Choice, Offer, Upload, said_name
from service.config import load_config
from service.errors import Unusable


def test_a_misspelt_key_names_the_near_one() -> None:
    with pytest.raises(ConfigError, match="max_batch"):
        load_config(None, ["desk.max_batsh=2"])


def test_settings_are_held_to_those_of_descriptions() -> None:
    with pytest.raises(ConfigError, match="retrieval"):
        load_config(None, ["settings.retrieval.k=0"])
    assert load_config(None, ["settings.retrieval.k=2"]).resolved().retrieval.k == 2


def test_a_client_chooses_by_name_and_nothing_else(tmp_path: Path) -> None:
    offer = Offer(load_config(None, ["offered.indexes={starter: starter, lab: data/indexes/lab}"]))
    settings = offer.settings(
        Choice(index="lab", k=2, prompt="bare", retrieval=True, length="short", language="German")
    )
    assert (settings.retrieval.index, settings.retrieval.k) == ("data/indexes/lab", 2)
    assert (settings.prompt.template, settings.prompt.length, settings.prompt.language) == ("bare", "short", "German")
    for choice in (Choice(index="data/indexes/lab"), Choice(prompt=str(tmp_path / "p.yaml")), Choice(model="../m")):
        with pytest.raises(Unusable, match="is not offered"):
            offer.settings(choice)


def test_settings_of_one_model_are_not_laid_on_another(tmp_path: Path) -> None:
    given = [f"settings.model={{path: {tmp_path}}}", "offered.models=[pocket, smolvlm-500m]"]
    offer = Offer(load_config(None, given))
    assert offer.settings(Choice()).model.path == tmp_path
    assert offer.settings(Choice(model="pocket")).model.path == tmp_path
    assert offer.settings(Choice(model="smolvlm-500m")).model.path is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\images\\scan.dcm", "scan.dcm"),
        ("a\x00b\n.png", "ab.png"),
        ("", "image"),
        (None, "image"),
        ("..", ".."),
        ("x" * 500 + ".png", "x" * 116 + ".png"),
    ],
)
def test_names_are_said_without_folders_and_control_characters(given: str | None, said: str) -> None:
    assert said_name(given) == said


@pytest.mark.parametrize("labels", [["yes"], ["yes", "yes"], ["yes", " "]])
def test_labels_are_a_choice(labels: list[str]) -> None:
    with pytest.raises(Unusable, match="two or more"):
        Offer(load_config()).ask([Upload("a.png", b"x")], "Is it?", Choice(), labels)


@pytest.mark.parametrize("schema", ["[]", "{", '{"type": 1}', '{"a":' * 5000 + "1" + "}" * 5000, '{"const": NaN}'])
def test_what_is_no_schema_is_refused(schema: str) -> None:
    with pytest.raises(Unusable, match="schema"):
        Offer(load_config()).extract(Upload("a.png", b"x"), schema, Choice())
