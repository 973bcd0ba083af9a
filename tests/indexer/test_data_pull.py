"""`data pull` over real HTTP, against answers in the hub's and the archive's own forms.

The hub: `GET /api/datasets/REPOSITORY/revision/REVISION?blobs=true` answers `sha` and `siblings` of `rfilename`,
`size`, `blobId` and, for large files, `lfs` with `sha256`, `size`, `pointerSize`
(https://huggingface.co/docs/huggingface_hub/package_reference/hf_api#huggingface_hub.hf_api.RepoSibling; as its own
client reads it: https://github.com/huggingface/huggingface_hub/blob/main/src/huggingface_hub/hf_api.py).
`GET /datasets/REPOSITORY/resolve/COMMIT/FILE` leads such files to a store on another host.
The archive: `GET /api/records/RECORD` answers `files` of `key`, `size`, `checksum` ("md5:...") and `links.self`
(https://developers.zenodo.org/#records; such an answer recorded at
https://haesleinhuepf.github.io/BioImageAnalysisNotebooks/12b_remote_files/exploring_zenodo.html).
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from click.testing import CliRunner, Result

import cli
from indexer.datasets.registry import SETS
from tests.web_server import Answer, Asked, WebServer, web_server

K64 = 1 << 16
"""What is written at a time: what is left of a connection that is cut."""
COMMIT = "bcf91e7654fb9d51c8ab6a5b82cacf3fafd2fae9"
TRAIN, TEST = "data/train-00000-of-00001-eb8844602202be60.parquet", "data/test-00000-of-00001-e5bc3d208bb4deeb.parquet"
HUB_FILES = {
    ".gitattributes": b"*.parquet lfs",
    "README.md": b"---\nlicense: cc0-1.0\n---\n",
    TRAIN: b"PAR1" * 75_000,
    TEST: b"T" * 999,
}
ARCHIVE_FILES = {
    "train_captions.csv": b"ID,Caption\n",
    "train_images.zip": bytes(range(256)) * 1500,
    "paper.pdf": b"%PDF",
}

Pull = Callable[..., Result]
Special = dict[str, list[Answer]]
"""By the end of a path, what is answered in place of the file, once each, first to last."""


def ranged(asked: Asked, data: bytes) -> Answer:
    """A file as a server gives it that knows Range."""
    wanted = asked.headers.get("range")
    if wanted is None:
        return Answer(data, content_type="application/octet-stream")
    start = int(wanted.removeprefix("bytes=").removesuffix("-"))
    if start >= len(data):
        return Answer(status=416, headers={"Content-Range": f"bytes */{len(data)}"})
    span = f"bytes {start}-{len(data) - 1}/{len(data)}"
    return Answer(data[start:], 206, "application/octet-stream", {"Content-Range": span})


class Remote:
    """Both services on one address; `special` answers come before the true ones."""

    def __init__(self) -> None:
        self.special: Special = {}
        self.store = ""
        self.server: WebServer

    def answer(self, asked: Asked) -> Answer:
        for end, answers in self.special.items():
            if answers and asked.path.endswith(quote(end)):
                return answers.pop(0)
        path = unquote(asked.path)
        if path.startswith("/api/datasets/"):
            return Answer(
                json.dumps({"id": path.split("/revision")[0][14:], "sha": COMMIT, "siblings": siblings()}).encode()
            )
        if path.startswith("/api/records/10821435/files/"):
            return ranged(asked, ARCHIVE_FILES[path.split("/")[5]])
        if path == "/api/records/10821435":
            return Answer(json.dumps({"id": 10821435, "files": self.archive_files()}).encode())
        file = path.partition(f"/resolve/{COMMIT}/")[2]
        if file not in HUB_FILES:
            return Answer(b"Entry not found", 404)
        if self.store and file.endswith(".parquet"):
            return Answer(status=302, headers={"Location": f"{self.store}/{quote(file)}?signature=secret-signature"})
        return ranged(asked, HUB_FILES[file])

    def archive_files(self) -> list[dict[str, Any]]:
        base = f"{self.server.url}/api/records/10821435/files"
        return [
            {
                "id": "111daf16-680a-48bb-bb85-5e251f3d7609",
                "key": key,
                "size": len(data),
                "checksum": f"md5:{hashlib.md5(data, usedforsecurity=False).hexdigest()}",
                "links": {"self": f"{base}/{key}/content"},
            }
            for key, data in ARCHIVE_FILES.items()
        ]

    def asked(self, end: str) -> list[Asked]:
        return [asked for asked in self.server.asked if asked.path.endswith(end)]


def siblings() -> list[dict[str, Any]]:
    found = []
    for name, data in HUB_FILES.items():
        blob = hashlib.sha1(f"blob {len(data)}\0".encode() + data, usedforsecurity=False).hexdigest()
        sibling: dict[str, Any] = {"rfilename": name, "size": len(data), "blobId": blob}
        if name.endswith(".parquet"):
            sha256 = hashlib.sha256(data).hexdigest()
            sibling |= {"blobId": "b" * 40, "lfs": {"sha256": sha256, "size": len(data), "pointerSize": 133}}
        found.append(sibling)
    return found


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Remote]:
    service = Remote()
    with web_server(service.answer) as server:
        service.server = server
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", "hf_secret-token")
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr("indexer.datasets.pull._PER_SECOND", 1000.0)
        monkeypatch.setattr("indexer.sources.fetching.time.sleep", lambda _: None)
        monkeypatch.chdir(tmp_path)
        yield service


@pytest.fixture
def pull(remote: Remote) -> Pull:
    def run(*arguments: str, **more: Any) -> Result:
        words = [*arguments, "--url", remote.server.url] if arguments[0] == "rocov2" else [*arguments]
        result = CliRunner().invoke(cli.main, ["data", "pull", *words], **more)
        assert "secret" not in result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return run


def test_a_hub_set_is_fetched_with_its_licence_told_first(remote: Remote, pull: Pull) -> None:
    result = pull("vqa-rad", "--yes")
    assert result.exit_code == 0, result.output
    assert result.stderr.index("licence: CC0 1.0") < result.stderr.index(
        "3 files, 301.0 kB, 301.0 kB of it still to fetch"
    )
    assert f"flaviagiammarino/vqa-rad at commit {COMMIT}" in result.stderr
    root = Path("data/sets/vqa-rad")
    assert {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()} == {"README.md", TRAIN, TEST}
    assert all((root / name).read_bytes() == HUB_FILES[name] for name in ("README.md", TRAIN, TEST))
    assert result.stdout.splitlines()[1] == f"{root / TRAIN}: fetched, 300.0 kB, sha256 as it should be"
    listing, *files = remote.server.asked
    assert listing.path == f"/api/datasets/flaviagiammarino/vqa-rad/revision/{COMMIT}"
    assert listing.fields == {"blobs": "true"}
    assert [asked.path for asked in files] == [
        f"/datasets/flaviagiammarino/vqa-rad/resolve/{COMMIT}/{name}" for name in ("README.md", TRAIN, TEST)
    ]
    assert all(asked.headers["authorization"] == "Bearer hf_secret-token" for asked in remote.server.asked)
    assert all("range" not in asked.headers for asked in files)


def test_what_is_there_is_compared_and_not_fetched_again(remote: Remote, pull: Pull) -> None:
    pull("vqa-rad", "--yes", "--out", "mine")
    remote.server.asked.clear()
    result = pull("vqa-rad", "--yes", "--out", "mine")
    assert result.exit_code == 0
    assert "0 B of it still to fetch" in result.stderr
    assert result.stdout.count("there already") == 3
    assert len(remote.server.asked) == 1
    Path("mine", "README.md").write_text("my notes")
    result = pull("vqa-rad", "--yes", "--out", "mine")
    assert result.exit_code == 2
    assert "mine/README.md: is there, but is not what is offered now" in result.stderr
    assert Path("mine", "README.md").read_text() == "my notes"


def test_an_archive_record_is_fetched_by_pattern_with_its_md5(remote: Remote, pull: Pull) -> None:
    result = pull("rocov2", "--yes")
    assert result.exit_code == 0, result.output
    assert "CC BY-NC-SA 4.0 for the set" in result.stderr
    root = Path("data/sets/rocov2")
    assert sorted(path.name for path in root.iterdir()) == ["train_captions.csv", "train_images.zip"]
    assert (root / "train_images.zip").read_bytes() == ARCHIVE_FILES["train_images.zip"]
    assert "md5 as it should be" in result.stdout
    assert [asked.path for asked in remote.server.asked] == [
        "/api/records/10821435",
        "/api/records/10821435/files/train_captions.csv/content",
        "/api/records/10821435/files/train_images.zip/content",
    ]
    assert all("authorization" not in asked.headers for asked in remote.server.asked)


def test_a_cut_connection_goes_on_where_it_was(remote: Remote, pull: Pull) -> None:
    data = ARCHIVE_FILES["train_images.zip"]
    rest = {"Content-Range": f"bytes {K64}-{len(data) - 1}/{len(data)}"}
    remote.special["train_images.zip/content"] = [
        Answer(data, cut=100_000),
        Answer(data[K64:], 206, "x/y", rest, cut=200_000),
    ]
    result = pull("rocov2", "--yes")
    assert result.exit_code == 0, result.output
    assert Path("data/sets/rocov2/train_images.zip").read_bytes() == data
    ranges = [asked.headers.get("range") for asked in remote.asked("train_images.zip/content")]
    assert ranges == [None, "bytes=65536-", "bytes=262144-"]


def test_a_stopped_fetch_goes_on_in_the_next_run(remote: Remote, pull: Pull) -> None:
    data = HUB_FILES[TRAIN]
    refused = Answer(b"moved", 403)
    rest = {"Content-Range": f"bytes {K64}-{len(data) - 1}/{len(data)}"}
    remote.special[TRAIN] = [Answer(data, cut=100_000), refused, Answer(data[K64:], 206, "x/y", rest)]
    first = pull("vqa-rad", "--yes", "--out", "mine")
    assert first.exit_code == 2
    assert f"{TRAIN}: HTTP 403" in first.stderr
    assert Path("mine", f"{TRAIN}.part").stat().st_size == K64
    assert not Path("mine", TRAIN).exists()
    second = pull("vqa-rad", "--yes", "--out", "mine")
    assert second.exit_code == 0
    assert "3 files, 301.0 kB, 235.5 kB of it still to fetch" in second.stderr
    assert [asked.headers.get("range") for asked in remote.asked(TRAIN)] == [None, "bytes=65536-", "bytes=65536-"]
    assert Path("mine", TRAIN).read_bytes() == data
    assert len(remote.asked("README.md")) == 1


def test_a_server_that_knows_no_range_is_asked_from_the_start(remote: Remote, pull: Pull) -> None:
    data = HUB_FILES[TRAIN]
    remote.special[TRAIN] = [Answer(data, cut=100_000), Answer(data)]
    assert pull("vqa-rad", "--yes", "--out", "mine").exit_code == 0
    assert Path("mine", TRAIN).read_bytes() == data
    wrong = {"Content-Range": f"bytes 0-{len(data) - 1}/{len(data)}"}
    remote.special[TRAIN] = [Answer(data, cut=100_000), Answer(data, 206, "x/y", wrong), Answer(data)]
    assert pull("vqa-rad", "--yes", "--out", "other").exit_code == 0
    assert Path("other", TRAIN).read_bytes() == data


def test_a_wrong_checksum_is_told_and_nothing_kept_under_the_name(remote: Remote, pull: Pull) -> None:
    data = HUB_FILES[TRAIN]
    for wrong in (b"x" * len(data), data + b"more", data[:-1] + b"?"):
        remote.special[TRAIN] = [Answer(wrong)]
        result = pull("vqa-rad", "--yes", "--out", "mine")
        assert result.exit_code == 2
        expected = "sends more than the 300,000 bytes" if len(wrong) > len(data) else "is not sha256:"
        assert expected in result.stderr
        assert sum("error:" in line for line in result.stderr.splitlines()) == 1
        assert not Path("mine", TRAIN).exists()
        Path("mine", f"{TRAIN}.part").unlink(missing_ok=True)
    remote.special["README.md"] = [Answer(b"#" * len(HUB_FILES["README.md"]))]
    result = pull("vqa-rad", "--yes", "--out", "other")
    assert "is not git-sha1:" in result.stderr
    assert list(Path("other").rglob("*.*")) == []
    assert pull("vqa-rad", "--yes", "--out", "mine").exit_code == 0


def test_busy_servers_are_asked_again(remote: Remote, pull: Pull, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("indexer.sources.fetching.time.sleep", slept.append)
    busy = [Answer(status=429, headers={"Retry-After": "7"}), Answer(status=503)]
    remote.special = {"/api/records/10821435": list(busy), "train_images.zip/content": list(busy)}
    assert pull("rocov2", "--yes").exit_code == 0
    assert slept.count(7.0) == 2
    assert len(remote.asked("/api/records/10821435")) == len(remote.asked("train_images.zip/content")) == 3


def test_a_server_that_stays_busy_is_left(remote: Remote, pull: Pull) -> None:
    remote.special["train_images.zip/content"] = [Answer(status=503)] * 99
    result = pull("rocov2", "--yes")
    assert result.exit_code == 2
    assert "failed 6 times: HTTP 503. What was fetched is kept; run again to go on" in result.stderr
    assert len(remote.asked("train_images.zip/content")) == 6


def test_large_files_come_from_a_store_that_sees_no_token(remote: Remote, pull: Pull) -> None:
    def store(asked: Asked) -> Answer:
        return ranged(asked, HUB_FILES[unquote(asked.path)[1:]])

    with web_server(store) as elsewhere:
        remote.store = elsewhere.url
        assert pull("vqa-rad", "--yes", "--out", "mine").exit_code == 0
        assert [asked.path[1:] for asked in elsewhere.asked] == [TRAIN, TEST]
        assert all("authorization" not in asked.headers for asked in elsewhere.asked)
        elsewhere.answer = lambda _: Answer(status=410)
        result = pull("vqa-rad", "--yes", "--out", "other")
    assert f"/resolve/{COMMIT}/{TRAIN}: HTTP 410" in result.stderr


def test_out_of_reach_says_what_to_put_where(remote: Remote, pull: Pull, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    result = pull("vqa-rad", "--yes")
    assert result.exit_code == 2
    error = result.stderr.strip().splitlines()[-1]
    assert error.startswith(
        f"error: http://127.0.0.1:9/api/datasets/flaviagiammarino/vqa-rad/revision/{COMMIT} cannot be reached"
    )
    assert error.endswith(
        "By hand: fetch README.md and data/*.parquet from "
        f"https://huggingface.co/datasets/flaviagiammarino/vqa-rad/tree/{COMMIT} on a machine that can, "
        "and put them into data/sets/vqa-rad, under the same names"
    )
    result = CliRunner().invoke(cli.main, ["data", "pull", "rocov2", "--yes", "--url", "http://127.0.0.1:9"])
    assert "fetch *.csv and *_images.zip from https://zenodo.org/records/10821435 on a machine" in result.stderr
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set" in pull("vqa-rad", "--yes").stderr
    assert remote.server.asked == []


def test_a_disk_that_is_too_small_is_told_before_anything_is_fetched(
    remote: Remote, pull: Pull, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("indexer.datasets.pull.shutil.disk_usage", lambda _: usage)
    result = pull("vqa-rad", "--yes", "--out", "mine")
    assert result.exit_code == 2
    assert (
        "mine: 301.0 kB are to be fetched and 1.0 kB are free there. Make room, or name another folder" in result.stderr
    )
    assert len(remote.server.asked) == 1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(b"<html>"), "the answer is not of the documented form"),
        (Answer(b'{"sha": "c"}'), "the answer is not of the documented form (KeyError: 'siblings')"),
        (Answer(b'{"sha": "c", "siblings": []}'), "no file is named README.md or data/*.parquet"),
        (
            Answer(b'{"sha": "c", "siblings": [{"rfilename": "../x.parquet", "size": 1, "blobId": "a"}]}'),
            "the file name '../x.parquet' leads out of the folder",
        ),
        (Answer(b"", 401), "HTTP 401: not there, or a token is needed (HF_TOKEN)"),
        (Answer(b"", 404), "HTTP 404: not there"),
    ],
)
def test_answers_of_another_form_are_told(remote: Remote, pull: Pull, answer: Answer, message: str) -> None:
    remote.special[f"/revision/{COMMIT}"] = [answer]
    result = pull("vqa-rad", "--yes")
    assert result.exit_code == 2
    assert message in result.stderr
    assert not Path("data").exists()


def test_the_licence_is_asked_about_on_a_terminal(remote: Remote, pull: Pull, monkeypatch: pytest.MonkeyPatch) -> None:
    result = pull("vqa-rad")
    assert result.exit_code == 2
    assert "add --yes" in result.stderr
    assert remote.server.asked == []
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True, raising=False)
    refused = pull("vqa-rad", input="n\n")
    assert refused.exit_code == 1
    assert "Fetch it under this licence?" in refused.stderr
    assert not Path("data").exists()
    assert pull("vqa-rad", input="y\n").exit_code == 0
    assert Path("data/sets/vqa-rad", TEST).exists()


def test_sets_are_listed_with_their_licences(remote: Remote, pull: Pull) -> None:
    result = CliRunner().invoke(cli.main, ["data", "list"])
    assert result.exit_code == 0
    assert all(found.notice() in result.stdout for found in SETS.values())
    assert {"rocov2", "rocov2-hub", "vqa-rad", "path-vqa", "medpix-shortqa", "mtsamples"} == set(SETS)
    unpinned = [found for found in SETS.values() if getattr(found.place, "revision", "") == "main"]
    assert all("not verified" in found.note for found in unpinned)
    assert "unknown data set 'vqa_rad'; did you mean 'vqa-rad'?" in pull("vqa_rad", "--yes").stderr
    assert remote.server.asked == []


@pytest.mark.parametrize("command", [["data"], ["data", "list"], ["data", "pull"]])
def test_help_loads_nothing_heavy(command: list[str]) -> None:
    script = (
        "import sys; sys.argv = ['cli.py', *sys.argv[1:], '--help']\n"
        "import cli\n"
        "try: cli.main()\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'torch', 'numpy', 'requests', 'huggingface_hub', 'pyarrow', 'pydantic', 'indexer'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    root = Path(cli.__file__).parent
    done = subprocess.run([sys.executable, "-c", script, *command], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
