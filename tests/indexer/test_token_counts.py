"""How embedders count the tokens of a text: as their own tokenizer makes them, without loading weights."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

import configs
from indexer import load_embedder
from indexer.embedders import tokens
from indexer.embedders.config import OpenClipConfig, SentenceTransformersConfig
from indexer.embedders.tokens import TokenCount
from indexer.errors import EmbedderUnavailableError
from indexer.types import Embedder

TEXTS = ["", "red cell", "White  cells,\nplatelets\u00a0and smear-lungs (x) \u4e2d\u6587 na\u00efve", "lung " * 90]


def sentences(folder: Path) -> Embedder:
    return load_embedder(SentenceTransformersConfig(kind="sentence_transformers", folder=str(folder)))


def wordpiece() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=8))  # noqa: S106
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    marks = ["[UNK]", "[CLS]", "[SEP]"]
    trainer = trainers.WordPieceTrainer(vocab_size=60, special_tokens=marks, show_progress=False)
    tokenizer.train_from_iterator(["red cell white cell smear lung 12 .,-"] * 4, trainer)
    return tokenizer


def bytes_bpe() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(vocab_size=300, show_progress=False)
    tokenizer.train_from_iterator(["red cell white cell smear lung 12 .,-"] * 4, trainer)
    return tokenizer


def in_one(tokenizer: Tokenizer, text: str) -> int:
    return len(tokenizer.encode(text, add_special_tokens=False))


BERT, BPE = wordpiece(), bytes_bpe()
BERT_COUNT, BPE_COUNT = TokenCount(BERT), TokenCount(BPE)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.text(st.sampled_from("redcl .,-\n\t\r\x1c\x85\u00a0\u2028\u0301\u03a3\u4e2d\u00e9[]SEPUNK12"), max_size=60)
    )
)
def test_counts_are_those_of_the_whole_text(texts: list[str]) -> None:
    assert BERT_COUNT.of(texts) == [in_one(BERT, text) for text in texts]
    assert BPE_COUNT.of(texts) == [in_one(BPE, text) for text in texts]


def test_words_are_summed_up_only_where_the_tokenizer_cuts_at_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    assert BERT_COUNT._by_word
    assert not BPE_COUNT._by_word
    spaced = wordpiece()
    spaced.add_tokens(["red cell"])
    assert not TokenCount(spaced)._by_word
    assert TokenCount(spaced).of(["red cell"]) == [1]
    monkeypatch.setattr(tokens, "WORDS_KEPT", 3)
    few = TokenCount(wordpiece())
    assert few.of(["red cell lung", "12 cell", "a b c d e"]) == BERT_COUNT.of(["red cell lung", "12 cell", "a b c d e"])
    assert len(few._words) <= 5


def test_a_sentence_model_counts_as_it_reads(tiny_sentences: Path) -> None:
    embedder = sentences(tiny_sentences)
    read = embedder.load().tokenizer(TEXTS, add_special_tokens=False)["input_ids"]  # type: ignore[attr-defined]
    assert embedder.count_tokens(TEXTS) == [len(ids) for ids in read]
    special = embedder.load().tokenizer.num_special_tokens_to_add()  # type: ignore[attr-defined]
    assert embedder.max_tokens == 64 - special
    assert embedder.load().max_seq_length == 64  # type: ignore[attr-defined]


def test_the_limit_is_the_models_own(tiny_sentences: Path, tmp_path: Path) -> None:
    full = sentences(tiny_sentences).max_tokens
    copy = shutil.copytree(tiny_sentences, tmp_path / "copy")
    (copy / "sentence_bert_config.json").write_text('{"max_seq_length": 32, "do_lower_case": true}')
    short = sentences(copy)
    assert short.max_tokens == full - 32
    assert short.count_tokens(["RED Cell"]) == short.count_tokens(["red cell"])
    assert short.load().max_seq_length == 32  # type: ignore[attr-defined]
    prompts = {"prompts": {"p": "red cell "}, "default_prompt_name": "p"}
    (copy / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    assert sentences(copy).max_tokens == full - 32 - sum(short.count_tokens(["red cell "]))


def test_what_cuts_texts_is_in_the_fingerprint(tiny_sentences: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_sentences, tmp_path / "copy")
    before = sentences(copy).fingerprint
    (copy / "sentence_bert_config.json").write_text('{"max_seq_length": 32}')
    shorter = sentences(copy).fingerprint
    assert shorter != before
    file = copy / "tokenizer.json"
    file.write_text(file.read_text() + "\n")
    assert sentences(copy).fingerprint not in (before, shorter)


def test_a_vocabulary_alone_is_read_by_transformers(tiny_sentences: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_sentences, tmp_path / "copy")
    vocabulary = json.loads((copy / "tokenizer.json").read_text())["model"]["vocab"]
    (copy / "vocab.txt").write_text("\n".join(sorted(vocabulary, key=vocabulary.__getitem__)), encoding="utf-8")
    (copy / "tokenizer.json").unlink()
    assert sentences(copy).count_tokens(["red cell smear"]) == sentences(tiny_sentences).count_tokens(
        ["red cell smear"]
    )


def test_a_tokenizer_that_cannot_be_read_is_one_clear_line(tiny_sentences: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_sentences, tmp_path / "copy")
    (copy / "tokenizer.json").write_text("{}")
    with pytest.raises(EmbedderUnavailableError, match=r"^embedder copy: .*tokenizer\.json is not a tokenizer: .+$"):
        _ = sentences(copy).max_tokens
    (copy / "modules.json").write_text("[]")
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("modules.json", "1_Pooling"):
        source = tiny_sentences / name
        shutil.copytree(source, bare / name) if source.is_dir() else shutil.copy(source, bare)
    with pytest.raises(EmbedderUnavailableError, match="has no tokenizer that can be read"):
        _ = sentences(bare).max_tokens


def test_clips_own_tokenizer_counts_too(tiny_clip: Path) -> None:
    clip = load_embedder(OpenClipConfig(kind="open_clip", folder=str(tiny_clip)))
    assert clip.max_tokens == 16 - 2
    assert clip.count_tokens(["red cell", ""]) == [2, 0]


def test_pocket_clip_counts_as_it_reads() -> None:
    import open_clip

    pocket = load_embedder("pocket-clip")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{configs.ROOT.parent / 'pocket/weights/clip'}")
    wide = tokenizer(TEXTS, context_length=512)
    special = tokenizer.tokenizer.num_special_tokens_to_add()
    pad = tokenizer.tokenizer.pad_token_id
    assert pocket.count_tokens(TEXTS) == [int((row != pad).sum()) - special for row in wide]
    assert pocket.max_tokens == 64 - special


CHECK = """
import sys
from indexer import load_embedder
embedder = load_embedder("minilm")
assert embedder.max_tokens == 254
assert embedder.count_tokens(["red cells", "one two\\nthree"]) == [2, 3]
print([name for name in ("torch", "transformers", "sentence_transformers") if name in sys.modules])
"""


def test_counting_loads_neither_weights_nor_torch() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHECK], cwd=configs.ROOT.parent, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
