"""`models pull` against a server on this machine that answers as the hub does."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from configs import ROOT
from tests.web_server import Answer, Asked, WebServer, web_server

REVISION = "0123456789abcdef0123456789abcdef01234567"
OWN = f"""
family: llama
hub_id: someone/small
revision: {REVISION}
prompt_tokens: 100
caption_prompt: zero_shot
license: Small Community
parameters: 3000000
"""


WEIGHTS = bytes(range(256)) * 100_000
"""More than the hub's client writes at once, 10 MB: it goes on after what it wrote."""


class Hub:
    """Files as the hub offers them. Weights break off half-way; while it is `broken`, nothing more comes."""

    def __init__(self, broken: bool = False) -> None:
        self.broken = broken
        self.mended = False
        self._files = {"config.json": b"{}", "tokenizer.json": b"{}", "model.safetensors": WEIGHTS}

    def __call__(self, asked: Asked) -> Answer:
        file = re.fullmatch(rf"/someone/small/resolve/{REVISION}/(.+)", asked.path)
        if file is not None:
            return self._file(self._files[file[1]], asked)
        if asked.path.startswith("/api/models/someone/small/tree/"):
            tree = [{"type": "file", "path": name, "size": len(data), "oid": _sha(data)} for name, data in self._all()]
            return Answer(json.dumps(tree).encode())
        if asked.path.startswith("/api/models/someone/small"):
            siblings = [{"rfilename": name} for name, _ in self._all()]
            about = {"id": "someone/small", "sha": REVISION, "siblings": siblings, "private": False, "tags": []}
            return Answer(json.dumps({**about, "downloads": 0, "likes": 0}).encode())
        return Answer(b"", 200)

    def _all(self) -> list[tuple[str, bytes]]:
        return sorted(self._files.items())

    def _file(self, data: bytes, asked: Asked) -> Answer:
        named = {"ETag": f'"{_sha(data)}"', "X-Repo-Commit": REVISION, "Accept-Ranges": "bytes"}
        wanted = re.fullmatch(r"bytes=(\d+)-", asked.headers.get("range", ""))
        if wanted is not None:
            rest = data[int(wanted[1]) :]
            span = f"bytes {wanted[1]}-{len(data) - 1}/{len(data)}"
            cut = 0 if self.broken else None
            return Answer(rest, 206, "application/octet-stream", {**named, "Content-Range": span}, cut)
        cut = len(data) // 2 if data == WEIGHTS and asked.method == "GET" and not self.mended else None
        return Answer(data, 200, "application/octet-stream", named, cut)


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def pull(endpoint: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    file = folder / "small.yaml"
    file.write_text(OWN)
    own = {"HF_ENDPOINT": endpoint, "HF_HOME": str(folder / "hub"), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
    return subprocess.run(
        [sys.executable, "cli.py", "models", "pull", str(file), *options],
        cwd=ROOT.parent, capture_output=True, text=True, env={**os.environ, **own}, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def transfers(hub: WebServer) -> list[Asked]:
    return [asked for asked in hub.asked if asked.method == "GET" and asked.path.endswith(".safetensors")]


def test_a_pull_names_the_licence_goes_on_where_it_broke_and_is_done_once(tmp_path: Path) -> None:
    with web_server(Hub()) as hub:
        done = pull(hub.url, tmp_path, "--yes")
        assert done.returncode == 0, done.stderr
        first, second = transfers(hub)
        assert "range" not in first.headers
        assert int(second.headers["range"].removeprefix("bytes=").removesuffix("-")) >= 10_000_000
        asked = len(hub.asked)
        again = pull(hub.url, tmp_path, "--yes")
        assert len(hub.asked) == asked, "what is here is not fetched again"
    assert done.stderr.startswith(f"small: licence Small Community; someone/small@{REVISION}; about 0.0 GB")
    assert "Fetching 3 files: 100%" in done.stderr
    folder = Path(done.stdout.strip())
    assert folder.name == REVISION
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert again.stderr.strip() == "small (Small Community) is on this machine already."
    assert again.stdout == done.stdout


def test_a_pull_that_was_given_up_keeps_the_files_that_are_whole(tmp_path: Path) -> None:
    offered = Hub(broken=True)
    with web_server(offered) as hub:
        done = pull(hub.url, tmp_path, "--yes")
        assert done.returncode == 2
        assert "could not be fetched whole" in done.stderr.splitlines()[-1]
        assert done.stderr.endswith("Run it again and the download goes on\n")
        hub.asked.clear()
        offered.mended = True
        again = pull(hub.url, tmp_path, "--yes")
        assert again.returncode == 0, again.stderr
        fetched = [asked.path for asked in hub.asked if asked.method == "GET" and "/resolve/" in asked.path]
    assert fetched == [f"/someone/small/resolve/{REVISION}/model.safetensors"]
    assert (Path(again.stdout.strip()) / "model.safetensors").read_bytes() == WEIGHTS


def test_nobody_to_ask_is_said_before_anything_is_fetched(tmp_path: Path) -> None:
    with web_server(Hub()) as hub:
        done = pull(hub.url, tmp_path)
        assert not hub.asked
    assert done.returncode == 2
    assert "add --yes" in done.stderr


def test_no_network_is_one_line(tmp_path: Path) -> None:
    done = pull("http://127.0.0.1:9", tmp_path, "--yes")
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert f"someone/small@{REVISION} is not on this machine and the hub cannot be reached" in line
    assert len(done.stderr.splitlines()) == 2, "the licence, and the error"


def test_a_servers_model_has_nothing_to_fetch() -> None:
    done = subprocess.run(
        [sys.executable, "cli.py", "models", "pull", "server"], cwd=ROOT.parent, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: model server is a server's and has no files.")
