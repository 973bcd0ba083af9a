"""Texts as they are compared: the ImageCLEF task's normalisation, and the COCO toolkit's words."""

import pytest
from rouge_score import rouge_scorer

from evaluation import rouge
from evaluation.metrics.texts import coco, imageclef


@pytest.mark.parametrize(
    ("caption", "normalised"),
    [
        ("A mass of 3.5 cm", "a mass of numbernumber cm"),
        ("T2-weighted", "tnumberweighted"),
        ("T2 weighted", "tnumber weighted"),
        ("12mm", "numbermm"),
        ("1,000 cells", "numbernumber cells"),
        ("1 000 cells", "number number cells"),
        ("10%", "number"),
        ("2 x 3.1 x 4", "number x numbernumber x number"),
        ("L4/L5 disc", "lnumberlnumber disc"),
        ("(a) CT; (b) MRI.", "a ct b mri"),
        ("patient's X-ray", "patients xray"),
        ("well_defined", "welldefined"),
        ("3\u20134 mm", "number\u2013number mm"),  # a printer's dash is no punctuation of ASCII's
        ("5 \u00b5m \u201cring\u201d", "number \u00b5m \u201cring\u201d"),
        ("10\u00b2", "number\u00b2"),  # a raised 2 is no decimal digit
        ("\u0663 lesions", "number lesions"),  # an Arabic 3 is one
        ("  two  spaces ", "  two  spaces "),
        ("\u00c9CHOGRAPHIE", "\u00e9chographie"),
        ("...", ""),
        ("", ""),
    ],
)
def test_the_task_normalises_hard_cases_so(caption: str, normalised: str) -> None:
    assert imageclef(caption) == normalised


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("Axial CT. The mass (arrow) is 3.5 cm.", "axial ct the mass -lrb- arrow -rrb- is 3.5 cm"),
        ("Patient's left lung, no effusion!", "patient 's left lung no effusion"),
        ("A \u201cring\u201d \u2013 enhancing", "a ring enhancing"),
        ("", ""),
    ],
)
def test_words_are_those_of_the_coco_toolkit(caption: str, words: str) -> None:
    assert coco(caption) == words


HARD = [
    "A mass of 3.5 cm, (T2-weighted).", "", "...", "\u00c9chographie: 5 \u00b5m \u2013 10\u00b2 mm", "the the the mass",
    "L4/L5 disc; L4 again", "Stra\u00dfe \u0130stanbul na\u00efve",
]  # fmt: skip


def test_the_table_of_all_pairs_is_equal_to_rouge_score_on_normalised_texts() -> None:
    scorer = rouge_scorer.RougeScorer(["rouge1"], use_stemmer=False)
    table = rouge.table(HARD, HARD)
    for row, text in zip(table.tolist(), HARD, strict=True):
        by_library = [scorer.score(imageclef(other), imageclef(text))["rouge1"].fmeasure for other in HARD]
        assert row == pytest.approx(by_library)
        assert [rouge.rouge1(rouge.words(text), rouge.words(other)) for other in HARD] == pytest.approx(by_library)
    assert 0 < table[0, 4] < 1


def test_the_best_constant_text_is_a_peak() -> None:
    references = ["axial ct of the head", "axial mr of the head", "coronal ct of the chest", "ultrasound"]
    bag = rouge.Bag(references)
    start = bag.scores(["axial ct of the head"]).mean()
    words = bag.climb("axial ct of the head").split()
    top = bag.scores([" ".join(words)]).mean()
    vocabulary = {word for reference in references for word in reference.split()}
    longer = [" ".join([*words, word]) for word in vocabulary]
    shorter = [" ".join(words[:place] + words[place + 1 :]) for place in range(len(words))]
    assert top > start
    assert bag.scores([*longer, *shorter]).mean(axis=1).max() <= top + 1e-6
