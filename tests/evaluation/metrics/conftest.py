"""Small real models with random weights, saved as the metrics read them."""

from __future__ import annotations

from pathlib import Path

import pytest

TEXTS = [
    "Axial CT of the chest with a mass in the right lung.", "MR of the brain.", "Coronal view of the abdomen.",
    "A large mass is noted.", "No effusion.",
]  # fmt: skip


def saved(folder: Path, labels: dict[int, str] | None = None) -> Path:
    """A BERT of two layers with a tokenizer trained on the spot; with `labels`, a classifier."""
    import torch
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertForSequenceClassification, BertModel, BertTokenizerFast

    folder.mkdir(parents=True)
    words = BertWordPieceTokenizer()
    words.train_from_iterator(TEXTS, vocab_size=200, min_frequency=1, show_progress=False)
    words.save_model(str(folder))
    tokenizer = BertTokenizerFast(vocab=str(folder / "vocab.txt"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=64,
    )  # fmt: skip
    if labels:
        config.id2label, config.label2id = labels, {name: place for place, name in labels.items()}
    model = BertForSequenceClassification(config) if labels else BertModel(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("encoder") / "tiny-bert")


@pytest.fixture(scope="session")
def regressor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("regressor") / "tiny-bleurt", {0: "LABEL_0"})


@pytest.fixture(scope="session")
def aligner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("aligner") / "tiny-align", {0: "ALIGNED", 1: "CONTRADICT", 2: "NEUTRAL"})
