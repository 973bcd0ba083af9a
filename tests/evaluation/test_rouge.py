import pytest

from evaluation import rouge


def test_rouge_counts_shared_words_of_normalised_texts() -> None:
    # "ct of number masses" and "number masses ct of the head": 4 shared, 4 and 6 words
    score = rouge.rouge1(rouge.words("CT of 12 masses."), rouge.words("3 masses: CT of the head"))
    assert score == pytest.approx(2 * (4 / 4) * (4 / 6) / (4 / 4 + 4 / 6))


def test_rouge_counts_a_repeated_word_as_often_as_both_have_it() -> None:
    assert rouge.rouge1(rouge.words("the the the"), rouge.words("the the mass")) == pytest.approx(2 / 3)
    assert rouge.rouge1(rouge.words(""), rouge.words("mass")) == 0


def test_shuffled_outputs_are_those_of_other_cases() -> None:
    said = ["brain mass", "brain mass", "chest"]
    gains = rouge.above_shuffled(said, ["brain mass", "brain mass", "brain mass"], ["a", "a", "b"])
    assert gains == pytest.approx([1.0, 1.0, -1.0])


def test_a_table_holds_the_score_of_every_pair() -> None:
    said, references = ["the the mass", "", "CT of 12 masses"], ["the mass of the chest", "", "3 masses", "..."]
    table = rouge.table(said, references)
    pairs = [[rouge.rouge1(rouge.words(text), rouge.words(truth)) for truth in references] for text in said]
    assert table.tolist() == [pytest.approx(row) for row in pairs]
    assert rouge.table([""], [""]).tolist() == [[0.0]]
