"""What the service may be told, and what clients may choose."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from conftest import config_in

from configs import ConfigError
from indexer.errors import IndexerError
from service.asked import Choice, Offer, Upload, said_name
from service.config import load_config
from service.errors import CannotServe, Unusable
from service.jobs import Jobs
from service.run import run_service
from service.service import Service, open_service
from vlm.errors import UnknownModel


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


@pytest.mark.parametrize(
    ("setting", "error", "told"),
    [
        ("offered.models=[pokcet]", UnknownModel, "unknown model 'pokcet'"),
        ("offered.prompts=[zero_shto]", ConfigError, "unknown prompt 'zero_shto'"),
        ("offered.indexes={mine: nowhere/at/all}", IndexerError, "nowhere/at/all"),
    ],
)
def test_an_offer_behind_which_is_nothing_is_refused_at_the_start(
    tmp_path: Path, setting: str, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told) as raised:
        open_service(config_in(tmp_path, setting))
    assert "\n" not in str(raised.value)


def test_an_address_or_a_folder_in_use_is_told_in_one_line_before_models_are_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Service, "_load", lambda _: pytest.fail("models are loaded"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotServe, match=f"127.0.0.1:{port} cannot be listened at") as raised:
            run_service(config_in(tmp_path / "a", f"port={port}"), lambda _: None)
        assert "\n" not in str(raised.value)
    with Jobs(tmp_path / "b/jobs", config_in(tmp_path).jobs).running(), pytest.raises(CannotServe, match="b/jobs"):
        run_service(config_in(tmp_path / "b", "port=0"), lambda _: None)
