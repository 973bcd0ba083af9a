"""Embedders: real tiny models, fingerprints, and what is said where a model is not there."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from index_makers import folder_config, index_config, text_config, write_embedder, write_images, write_jsonl
from PIL import Image

import configs
import imaging
from indexer import (
    EmbedderMismatchError,
    EmbedderUnavailableError,
    EmbedderUnsuitableError,
    Query,
    build_index,
    load_embedder,
    open_index,
    verify_index,
)
from indexer.embedders import create_embedder, files
from indexer.embedders.clip import OpenClipEmbedder
from indexer.embedders.config import OpenClipConfig, SentenceTransformersConfig
from indexer.embedders.cores import Cores


def test_open_clip_from_a_folder(tiny_clip: Path, tmp_path: Path) -> None:
    embedder = load_embedder(OpenClipConfig(kind="open_clip", folder=str(tiny_clip)))
    assert (embedder.id, embedder.dim) == ("open_clip:tiny-clip", 32)
    write_images(tmp_path, 70)
    images = [imaging.load(tmp_path / f"images/{n}.png") for n in range(70)]
    vectors = embedder.embed_images(images)
    assert (vectors.shape, vectors.dtype) == ((70, 32), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(embedder.embed_images(images[68:69])[0], vectors[68], atol=1e-5)
    texts = embedder.embed_texts(["a smear", "a lung"])
    np.testing.assert_allclose(np.linalg.norm(texts, axis=1), 1, atol=1e-5)
    assert embedder.embed_images([]).shape == (0, 32)


@pytest.mark.parametrize("kind", ["open_clip", "sentence_transformers"])
def test_a_model_that_several_threads_want_is_read_once_and_by_one_at_a_time(
    kind: str, tiny_clip: Path, tiny_sentences: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any]
    if kind == "open_clip":
        clip = OpenClipConfig(kind="open_clip", folder=str(tiny_clip))
        made = [create_embedder(name, clip) for name in "ab"]
    else:
        sentences = SentenceTransformersConfig(kind="sentence_transformers", folder=str(tiny_sentences))
        made = [create_embedder(name, sentences) for name in "ab"]
    real, reading, most, read = type(made[0])._create, 0, 0, 0

    def counted(self: Any, folder: Path) -> Any:
        nonlocal reading, most, read
        reading, read = reading + 1, read + 1
        most = max(most, reading)
        time.sleep(0.1)  # long enough for the others to come
        try:
            return real(self, folder)
        finally:
            reading -= 1

    monkeypatch.setattr(type(made[0]), "_create", counted)
    with ThreadPoolExecutor(6) as pool:
        loaded = list(pool.map(lambda number: made[number % 2].load(), range(6)))
    assert (read, most) == (2, 1)
    assert len(set(map(id, loaded))) == 2


def test_open_clip_preprocesses_as_the_model_says(tiny_clip: Path, tmp_path: Path) -> None:
    import open_clip
    import torch
    from PIL import Image

    write_images(tmp_path, 1)
    image = imaging.load(tmp_path / "images/0.png")
    model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{tiny_clip}")
    with torch.inference_mode():
        expected = model.eval().encode_image(preprocess(Image.fromarray(image.pixels))[None], normalize=True).numpy()
    embedder = load_embedder(OpenClipConfig(kind="open_clip", folder=str(tiny_clip)))
    np.testing.assert_allclose(embedder.embed_images([image]), expected, atol=1e-6)


@pytest.mark.parametrize("count", [1, 20])
def test_what_the_trunk_reads_stays_with_the_images_where_it_is_wanted(count: int, tmp_path: Path) -> None:
    import torch

    embedder = load_embedder("pocket-clip")
    assert isinstance(embedder, OpenClipEmbedder)
    write_images(tmp_path, count)
    images = [imaging.load(tmp_path / f"images/{n}.png") for n in range(count)]
    vectors = embedder.embed_images(images)
    assert all(image.features == {} for image in images)
    np.testing.assert_allclose(embedder.embed_images(images, keep=True), vectors, atol=1e-6)
    last = images[-1].features[str(embedder.trunk)]
    assert isinstance(last, torch.Tensor)
    assert last.shape == (1280, 12, 12)
    head = embedder.load().model.visual.head
    with torch.inference_mode():
        own = torch.nn.functional.normalize(head(last.mean(dim=(1, 2))), dim=0).numpy()
    np.testing.assert_allclose(own, vectors[-1], atol=1e-5)


def test_a_trunk_that_does_not_read_a_squashed_picture_is_none(tiny_clip: Path) -> None:
    embedder = load_embedder(OpenClipConfig(kind="open_clip", folder=str(tiny_clip)))
    assert isinstance(embedder, OpenClipEmbedder)
    assert embedder.trunk is None


def test_batch_norms_are_folded_and_vectors_stay(tiny_clip: Path) -> None:
    import open_clip
    import torch
    from torch import nn

    from indexer.embedders.folding import fold_batch_norms

    model = open_clip.create_model(f"local-dir:{tiny_clip}").eval()
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    torch.manual_seed(0)
    for norm in norms:  # as if trained: with what an untrained norm holds, folding would change nothing
        for values in (norm.running_mean, norm.running_var, norm.weight.data, norm.bias.data):
            values.uniform_(0.5, 1.5)
    pixels = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        before = model.encode_image(pixels, normalize=True)
        assert fold_batch_norms(model.visual, pixels[:1]) == len(norms) > 5
        after = model.encode_image(pixels, normalize=True)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    assert float((before - after).abs().max()) < 1e-5


def test_a_norm_that_no_convolution_feeds_alone_is_left() -> None:
    import torch
    from torch import nn

    from indexer.embedders.folding import fold_batch_norms

    shared = nn.Conv2d(3, 3, 1)
    tower = nn.Sequential(nn.BatchNorm2d(3), shared, nn.BatchNorm2d(3), shared, nn.ReLU(), nn.BatchNorm2d(3)).eval()
    pixels = torch.randn(1, 3, 4, 4)
    with torch.inference_mode():
        before = tower(pixels)
        assert fold_batch_norms(tower, pixels) == 0
        assert torch.equal(tower(pixels), before)


def test_an_embedder_computes_with_folded_norms(tiny_clip: Path) -> None:
    from torch import nn

    model = load_embedder(OpenClipConfig(kind="open_clip", folder=str(tiny_clip))).load().model  # type: ignore[attr-defined]
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())


@pytest.mark.skipif(torch.cuda.is_available(), reason="shares work out over a CPU's cores")
def test_images_are_shared_out_over_the_cores_in_their_order(tiny_clip: Path) -> None:
    embedder = load_embedder(OpenClipConfig(kind="open_clip", folder=str(tiny_clip)))
    rng = np.random.default_rng(0)
    images = [
        imaging.LoadedImage(str(n), Image.fromarray(rng.integers(0, 256, (40, 50, 3), np.uint8)), sha256="", phash="")
        for n in range(13)
    ]
    threads = torch.get_num_threads()
    together = embedder.embed_images(images)
    assert torch.get_num_threads() == threads
    alone = np.concatenate([embedder.embed_images([image]) for image in images])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_cores_compute_alone_and_leave_others_their_threads() -> None:
    before = torch.get_num_threads()
    cores = Cores()
    assert cores.count == before
    assert cores.map(lambda part: [torch.get_num_threads(), *part], list(range(5)), 2) == [[1, 0, 1], [1, 2, 3], [1, 4]]
    with ThreadPoolExecutor(1) as later:
        assert later.submit(torch.get_num_threads).result() == before


def test_sentence_transformers_from_a_folder(tiny_sentences: Path) -> None:
    embedder = load_embedder(SentenceTransformersConfig(kind="sentence_transformers", folder=str(tiny_sentences)))
    vectors = embedder.embed_texts(["red cell", "white cell", "red cell"])
    assert (vectors.shape, vectors.dtype, embedder.dim) == ((3, 24), np.float32, 24)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(vectors[0], vectors[2], atol=1e-6)
    assert embedder.embed_texts([]).shape == (0, 24)
    with pytest.raises(EmbedderUnsuitableError, match="embeds texts, not images"):
        embedder.embed_images([])


def test_minilm_is_the_pinned_file() -> None:
    embedder = load_embedder("minilm")
    assert (embedder.id, embedder.dim) == ("sentence_transformers:minilm", 384)
    cat, kitten, brain = embedder.embed_texts(["a cat", "a kitten", "MRI of the brain"])
    assert cat @ kitten > 0.6 > cat @ brain


def test_an_index_end_to_end_with_real_models(tiny_clip: Path, tiny_sentences: Path, tmp_path: Path) -> None:
    root = tmp_path / "pictures"
    write_jsonl(root / "records.jsonl", write_images(root, 6))
    texts = write_jsonl(
        tmp_path / "t.jsonl", [{"id": word, "text": f"red {word}"} for word in ("cell", "lung", "brain", "liver")]
    )
    clip = shutil.copytree(tiny_clip, tmp_path / "clip")
    config = index_config(
        tmp_path / "ix",
        folder_config(root),
        text_config(texts),
        image_embedder=write_embedder(tmp_path / "clip.yaml", "open_clip", clip),
        text_embedder=write_embedder(tmp_path / "sentences.yaml", "sentence_transformers", tiny_sentences),
    )
    build_index(config, progress=False)
    assert verify_index(tmp_path / "ix").ok
    with open_index(tmp_path / "ix") as index:
        for number in (2, 5):
            vector = index.embedder_for("images").embed_images([imaging.load(root / f"images/{number}.png")])[0]
            best = index.search([Query("images", vector, 2)])[0][0]
            assert best.score == pytest.approx(1, abs=1e-4)
            same = index.examples([f"r{number}"])[0]
            other = index.search([Query("images", vector, 6, exclude_sha256=frozenset({same.image_sha256}))])[0]
            assert len(other) == 5
        asked = index.embedder_for("passages").embed_texts(["red brain"])[0]
        assert index.search([Query("passages", asked, 1)])[0][0].id == "brain#0"
    settings = clip / "open_clip_config.json"
    settings.write_text(settings.read_text().replace("0.5", "0.4", 1))
    with (
        open_index(tmp_path / "ix") as index,
        pytest.raises(EmbedderMismatchError, match=r"clip is now open_clip:clip@"),
    ):
        index.embedder_for("images")


def test_the_fingerprint_is_of_the_bytes_and_not_of_the_place(tiny_clip: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_clip, tmp_path / "copy")
    first = load_embedder(OpenClipConfig(kind="open_clip", folder=str(tiny_clip)))
    second = load_embedder(OpenClipConfig(kind="open_clip", folder=str(copy)))
    assert first.fingerprint == second.fingerprint
    weights = copy / "open_clip_model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert load_embedder(OpenClipConfig(kind="open_clip", folder=str(copy))).fingerprint != first.fingerprint


def test_weights_that_are_not_the_pinned_ones_are_not_loaded(tiny_sentences: Path) -> None:
    config = SentenceTransformersConfig(
        kind="sentence_transformers", folder=str(tiny_sentences), weights_sha256="0" * 64
    )
    with pytest.raises(EmbedderUnavailableError, match="the configuration pins 000000000000"):
        load_embedder(config).embed_texts(["x"])


def test_pickled_weights_need_a_pin(tiny_clip: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    copy = shutil.copytree(tiny_clip, tmp_path / "copy")
    pickled = copy / "open_clip_pytorch_model.bin"
    torch.save(load_file(copy / "open_clip_model.safetensors"), pickled)
    (copy / "open_clip_model.safetensors").unlink()
    with pytest.raises(EmbedderUnavailableError, match="is not safetensors"):
        load_embedder(OpenClipConfig(kind="open_clip", folder=str(copy))).embed_texts(["x"])
    pinned = OpenClipConfig(kind="open_clip", folder=str(copy), weights_sha256=files.sha256_of(pickled))
    original = load_embedder(OpenClipConfig(kind="open_clip", folder=str(tiny_clip)))
    np.testing.assert_allclose(load_embedder(pinned).embed_texts(["x"]), original.embed_texts(["x"]), atol=1e-6)


def test_what_is_said_where_a_model_is_not_there(tmp_path: Path, tiny_clip: Path) -> None:
    with pytest.raises(EmbedderUnavailableError, match="no folder /nowhere/model"):
        load_embedder(OpenClipConfig(kind="open_clip", folder="/nowhere/model"))
    with pytest.raises(EmbedderUnavailableError, match="pip install no-such-package"):
        load_embedder(SentenceTransformersConfig(kind="sentence_transformers", package="no_such_package"))
    with pytest.raises(EmbedderUnavailableError, match="is not an open_clip configuration"):
        load_embedder(OpenClipConfig(kind="open_clip", folder=str(tmp_path)))
    copy = shutil.copytree(tiny_clip, tmp_path / "copy")
    (copy / "open_clip_model.safetensors").write_bytes(b"broken")
    with pytest.raises(EmbedderUnavailableError, match="cannot be loaded by open_clip"):
        load_embedder(OpenClipConfig(kind="open_clip", folder=str(copy))).embed_texts(["x"])


def test_a_hub_that_cannot_be_reached_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")
    embedder = load_embedder("biomedclip")
    assert (embedder.id, embedder.dim, embedder.revision[:8]) == ("open_clip:biomedclip", 512, "9f341de2")
    with pytest.raises(EmbedderUnavailableError, match=r"the hub cannot be reached \(.*\)\. Connect once") as error:
        embedder.embed_texts(["x"])
    assert "\n" not in str(error.value)


def test_unknown_names_and_keys(tmp_path: Path) -> None:
    with pytest.raises(configs.ConfigError, match="did you mean 'minilm'"):
        load_embedder("minilmm")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("kind: openclip\nfolder: x\n")
    with pytest.raises(configs.ConfigError, match="unknown kind 'openclip'; did you mean 'open_clip'"):
        load_embedder(str(wrong))
    wrong.write_text("kind: open_clip\nfolderr: x\n")
    with pytest.raises(configs.ConfigError, match="did you mean 'folder'"):
        load_embedder(str(wrong))
    wrong.write_text("kind: open_clip\nhub: a/b\n")
    with pytest.raises(configs.ConfigError, match="hub needs a revision"):
        load_embedder(str(wrong))


def test_each_embedder_loads_only_its_own_library(tiny_clip: Path) -> None:
    code = f"""
import sys
from indexer import load_embedder
from indexer.embedders.config import OpenClipConfig
load_embedder("minilm"), load_embedder("biomedclip")
embedder = load_embedder(OpenClipConfig(kind="open_clip", folder={str(tiny_clip)!r}))
assert not {{"torch", "open_clip", "sentence_transformers", "transformers"}} & set(sys.modules)
embedder.embed_texts(["x"])
assert "sentence_transformers" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=configs.ROOT.parent, timeout=120)
