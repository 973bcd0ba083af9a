"""Tiny models that read two texts at once: real classes, random weights, a tokenizer trained on the spot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def write_cross_encoder(folder: Path, labels: Sequence[str], bias: Sequence[float] = ()) -> Path:
    """A BERT with a head of these labels, which leans to some by `bias`."""
    import torch
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    folder.mkdir(parents=True)
    words = BertWordPieceTokenizer()
    words.train_from_iterator(["kidney stone liver cyst lung effusion left right no"] * 4, vocab_size=120)
    words.save(str(folder / "tokenizer.json"))
    BertTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), model_max_length=48).save_pretrained(folder)
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = BertConfig(vocab_size=120, max_position_embeddings=48, id2label=dict(enumerate(labels)), **shape)
    model = BertForSequenceClassification(config)
    if bias:
        model.classifier.bias.data = torch.tensor(bias)
    model.save_pretrained(folder)
    return folder
