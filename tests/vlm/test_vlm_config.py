from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from configs import ROOT, ConfigError, names
from vlm import (
    HubUnreachable,
    ModelConfig,
    ModelEntry,
    ModelNotFound,
    UnknownModel,
    list_models,
    load_model_config,
    open_engine,
    weights,
)
from vlm.cost.tables import models_table
from vlm.pull import plan
from vlm.weights import find_files

OWN = """
family: smolvlm
path: weights
prompt_tokens: 100
caption_prompt: zero_shot
license: MIT
parameters: 1000
"""

UNPINNED = ["blip-base", "blip-roco", "llava-med"]
"""Models of which no pinned revision was to be found."""


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No network and an empty cache, wherever the tests run."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("name", names("models"))
def test_shipped_models_read(name: str) -> None:
    config = load_model_config(name)
    assert config.name == name
    if name in UNPINNED:
        assert config.revision is None
    else:
        assert config.hub_id is None or len(config.revision or "") == 40, "a revision is a commit, not a branch"
    assert not config.trust_remote_code
    assert (ROOT / "prompts" / f"{config.caption_prompt}.yaml").is_file()
    assert config.larger_model is None or load_model_config(config.larger_model)


def test_unknown_model_names_the_near_one() -> None:
    with pytest.raises(UnknownModel, match=r"unknown model 'smolvlm-500'; did you mean 'smolvlm-500m'\?"):
        load_model_config("smolvlm-500")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("famly: smolvlm", r"own\.yaml: unknown key 'famly'; did you mean 'family'\?"),
        ("family: smolvml", r"own\.yaml: family: .*unknown family 'smolvml'; did you mean 'smolvlm'\?"),
        ("family: zzz", r"known are smolvlm, qwen2_vl, qwen2_5_vl, qwen3_vl, paligemma, fastvlm, llava"),
        ("generation: {max_tokens: 3}", r"unknown key 'generation\.max_tokens'; did you mean 'max_new_tokens'\?"),
        ("quantisation: int4", r"quantisation: "),
        ("path: null", r"give path, or hub_id and revision"),
        ("hub_id: nonsense", r"hub_id: "),
    ],
)
def test_wrong_keys_are_named(line: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(OWN + line + "\n")
    with pytest.raises(ConfigError, match=message) as caught:
        load_model_config(str(file))
    assert "\n" not in str(caught.value)


def test_paths_are_taken_from_where_they_were_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(OWN)
    assert load_model_config(str(file)).path == tmp_path / "weights"
    assert load_model_config("pocket").path == ROOT.parent / "pocket/weights/vlm"
    monkeypatch.chdir(tmp_path)
    assert load_model_config("pocket", path=Path("mine")).path == tmp_path / "mine"


def test_given_values_replace_the_files_own() -> None:
    config = load_model_config("smolvlm-256m", path=Path("/models/x"), quantisation="nf4", dtype="bf16")
    assert (config.source, config.quantisation, config.dtype) == ("/models/x", "nf4", "bf16")
    assert load_model_config("smolvlm-256m").source.startswith("HuggingFaceTB/SmolVLM-256M-Instruct@")


def test_params_are_the_models_unless_given() -> None:
    config = load_model_config("smolvlm-256m")
    own = config.params()
    assert (own.max_new_tokens, own.temperature, own.repetition_penalty) == (160, 0.0, 1.1)
    given = config.params(max_new_tokens=5, temperature=0.7, top_p=0.9, repetition_penalty=1.0, seed=3)
    assert (given.max_new_tokens, given.temperature, given.top_p, given.repetition_penalty, given.seed) == (
        5,
        0.7,
        0.9,
        1.0,
        3,
    )


def test_images_per_prompt_is_the_smaller_bound() -> None:
    assert load_model_config("pocket").images_per_prompt == 1
    assert load_model_config("paligemma-3b-mix-224").images_per_prompt == 1
    assert load_model_config("qwen2-vl-2b").images_per_prompt is None


def test_the_small_model_says_so() -> None:
    notice = load_model_config("pocket").notice
    assert notice
    assert "--model smolvlm-500m" in notice
    assert load_model_config("smolvlm-500m").notice is None


@pytest.mark.usefixtures("no_hub")
def test_the_catalogue_tells_what_is_here() -> None:
    entries = {entry.config.name: entry for entry in list_models()}
    assert set(entries) == set(names("models"))
    assert not entries["qwen2-vl-2b"].on_this_machine


@pytest.mark.usefixtures("no_hub")
def test_a_hub_out_of_reach_is_said_at_once() -> None:
    config = load_model_config("qwen2-vl-2b")
    started = time.perf_counter()
    with pytest.raises(HubUnreachable) as caught:
        open_engine(config).count_tokens(["x"])
    assert time.perf_counter() - started < 5
    assert str(caught.value) == (
        f"model qwen2-vl-2b: {config.source} is not on this machine and the hub cannot be reached. Put the files in a "
        f"folder and pass --set model.path=FOLDER, or take the embedded model: --model pocket"
    )


@pytest.mark.usefixtures("no_hub")
def test_a_silent_hub_is_given_up_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes the connection and never answers, as behind a firewall."""
    from huggingface_hub import constants

    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setattr(weights, "HUB_TIMEOUT_S", 0.3)
        started = time.perf_counter()
        with pytest.raises(HubUnreachable, match="the hub cannot be reached"):
            find_files(load_model_config("smolvlm-2.2b"))
    assert time.perf_counter() - started < 3


class Hub(BaseHTTPRequestHandler):
    """Answers as the hub does for what it will not give: the status, and the reason in a header."""

    status, code = 200, ""

    def answer(self) -> None:
        self.send_response(200 if self.path == "/" else self.status)
        self.send_header("X-Error-Code", self.code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD = answer  # noqa: N815 - the handler's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the handler's names
        pass


@pytest.mark.usefixtures("no_hub")
@pytest.mark.parametrize(
    ("status", "code", "kind", "message"),
    [
        (403, "GatedRepo", ModelNotFound, "needs its licence accepted at https://huggingface.co/google/paligemma"),
        (404, "RepoNotFound", ModelNotFound, "is not on the hub. Correct hub_id and revision"),
        (404, "RevisionNotFound", ModelNotFound, "is not on the hub. Correct hub_id and revision"),
        (400, "", HubUnreachable, "could not be fetched whole"),
    ],
)
def test_what_the_hub_refuses(
    status: int, code: str, kind: type[ModelNotFound], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants, hf_api

    monkeypatch.setattr(Hub, "status", status)
    monkeypatch.setattr(Hub, "code", code)
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", url)
        monkeypatch.setattr(hf_api.api, "endpoint", url)
        with pytest.raises(kind, match=re.escape(message)) as caught:
            find_files(load_model_config("paligemma-3b-mix-224"))
        server.shutdown()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", UNPINNED)
def test_without_a_pinned_revision_nothing_is_fetched(
    name: str, folder_of: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*_: object, **__: object) -> None:
        raise AssertionError("the hub was asked")

    monkeypatch.setattr("huggingface_hub.snapshot_download", asked)
    config = load_model_config(name)
    message = rf"no revision of {config.hub_id} is pinned, so nothing .*hf download .* --set model\.path=FOLDER"
    with pytest.raises(ModelNotFound, match=message):
        find_files(config)
    with pytest.raises(ModelNotFound, match=message):
        plan(name)
    assert models_table([ModelEntry(config, on_this_machine=False)]).endswith(
        f"{config.license}  --model {name} --set model.path=FOLDER"
    )
    folder = folder_of({"llava-med": "llava_med"}.get(name, "blip"))
    assert open_engine(load_model_config(name, path=folder)).count_tokens(["A smear."]) != [0]


@pytest.mark.usefixtures("no_hub")
def test_files_in_the_hubs_cache_are_found(folder_of: object, tmp_path: Path) -> None:
    assert callable(folder_of)
    config = load_model_config("smolvlm-256m")
    snapshot = tmp_path / "cache/models--HuggingFaceTB--SmolVLM-256M-Instruct/snapshots" / str(config.revision)
    snapshot.parent.mkdir(parents=True)
    snapshot.symlink_to(folder_of("smolvlm"))
    assert find_files(config) == snapshot


def test_sharded_weights_need_every_shard(tmp_path: Path) -> None:
    for name in ("config.json", "tokenizer.json", "model-00001-of-00002.safetensors"):
        (tmp_path / name).write_text("{}")
    shards = '{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}'
    (tmp_path / "model.safetensors.index.json").write_text(shards)
    config = load_model_config("smolvlm-256m", path=tmp_path)
    with pytest.raises(ModelNotFound, match=r"has no model-00002-of-00002\.safetensors"):
        find_files(config)
    (tmp_path / "model-00002-of-00002.safetensors").touch()
    assert find_files(config) == tmp_path


def test_importing_vlm_imports_no_torch() -> None:
    script = (
        "import sys, vlm; vlm.load_model_config('pocket')\n"
        "print([m for m in ('torch', 'transformers', 'peft', 'tokenizers', 'huggingface_hub') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT.parent, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_config_is_frozen() -> None:
    config = load_model_config("pocket")
    assert isinstance(config, ModelConfig)
    with pytest.raises(ValueError, match="frozen"):
        config.name = "other"
