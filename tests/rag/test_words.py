"""The word lists hold together, and the words of one thing are one."""

from collections import defaultdict
from collections.abc import Iterator

import pytest
import yaml

from configs import ROOT
from rag.check.apart import apart
from rag.check.lexicon import lexicon, tokens_of, words_of
from rag.check.reading import read

_FILE = ROOT / "checks" / "words.yaml"
_COMPARED = ("quality", "direction", "finding", "phase", "sequence")
"""The kinds whose opposites are looked at (rag/check/support.py)."""


def _concepts() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Kind and name of each concept of the file with each of its phrases."""
    lists = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    kinds = {concept.kind for concept in lexicon().concepts.values()}
    for kind in kinds:
        for name, phrases in lists[kind].items():
            for phrase in (name, *phrases):
                yield kind, name, words_of(phrase)


def test_no_phrase_means_two_things() -> None:
    meant: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for kind, name, phrase in _concepts():
        meant[phrase].add(f"{kind} {name}")
    assert {" ".join(phrase): names for phrase, names in meant.items() if len(names) > 1} == {}


def test_every_phrase_can_be_found() -> None:
    short = set(lexicon().stands_for)
    for _, name, phrase in _concepts():
        assert 1 <= len(phrase) <= 6, name
        assert not set(phrase) & short, f"{name}: shorthand is written out before phrases are looked for"


def test_no_key_stands_twice() -> None:
    def look(node: yaml.Node) -> None:
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value]
            assert len(keys) == len(set(keys)), {key for key in keys if keys.count(key) > 1}
            for _, value in node.value:
                look(value)

    look(yaml.compose(_FILE.read_text(encoding="utf-8")))


def test_opposites_are_concepts_whose_kind_is_compared() -> None:
    words = lexicon()
    assert {name: words.kind_of(name) for name in words.opposites if words.kind_of(name) not in _COMPARED} == {}
    for name, others in words.opposites.items():
        wider = set(words.ancestors(name))
        assert name not in others
        assert not others & wider


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("middle cerebral artery", "posterior cerebral artery"),
        ("upper lobe", "lower lobe"),
        ("L4", "L1"),
        ("hypercellular", "hypocellular"),
        ("male", "female"),
    ],
)
def test_what_has_one_name_cannot_have_the_other(one: str, other: str) -> None:
    assert apart(one, other)
    assert apart(other, one)
    assert not apart(one, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [("middle cerebral artery", "anterior communicating artery"), ("L4", "CD20"), ("posterior", "cerebral artery")],
)
def test_what_differs_in_more_may_be_one_thing(one: str, other: str) -> None:
    assert not apart(one, other)


def test_members_of_a_family_are_not_the_broader_of_each_other() -> None:
    words = lexicon()
    for family in words.families:
        assert len(family) > 1
        for name in family:
            assert not family & set(words.ancestors(name)), name


def test_shorthand_is_written_as_a_text_has_it() -> None:
    for short, phrase in lexicon().stands_for.items():
        assert words_of(short) == (short,)
        assert phrase


def test_a_normal_form_is_its_own() -> None:
    for _, _, phrase in _concepts():
        assert words_of(" ".join(phrase)) == phrase


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("collarbone", "clavicles"),
        ("kneecap", "patellar"),
        ("shin bone", "tibial"),
        ("windpipe", "trachea"),
        ("gullet", "oesophageal"),
        ("womb", "uterine"),
        ("belly", "abdominal"),
        ("voice box", "laryngeal"),
        ("heart attack", "myocardial infarction"),
        ("blood clot", "thrombi"),
        ("DVT", "deep venous thrombosis"),
        ("kidney stone", "nephrolithiasis"),
        ("stones of the gallbladder", "cholelithiasis"),
        ("RCA", "right coronary arteries"),
        ("in front of the orbit", "anterior to the orbit"),
        ("back wall of the uterus", "posterior uterine wall"),
        ("left main pulmonary artery", "left pulmonary artery"),
        ("recent fracture", "acute fracture"),
        ("unborn child", "fetus"),
        ("burst aneurysm", "ruptured aneurysm"),
        ("LAD", "left anterior descending coronary artery"),
        ("CTA", "CT angiogram"),
        ("nondisplaced", "non-displaced"),
        ("nonunion", "no union"),
        ("gastro-oesophageal junction", "GEJ"),
        ("diaphyseal", "shafts"),
        ("L4", "fourth lumbar vertebra"),
        ("alpha-SMA", "smooth muscle actin"),
        ("MIB-1", "Ki67"),
        ("leukaemia", "leukemic"),
        ("WBC", "leucocytes"),
        ("peripheral oedema", "swelling at the periphery"),
        ("hypo-echoic", "hypoechogenic"),
        ("3D reconstruction", "volume-rendered"),
    ],
)
def test_two_ways_to_say_one_thing(one: str, other: str) -> None:
    said, also = ({(t.name, t.denied) for t in read(text).statements[0].terms} for text in (one, other))
    assert said
    assert said == also


def test_compounds_are_made_of_other_concepts() -> None:
    words = lexicon()
    assert len(words.made_of) > 100
    for name, parts in words.made_of.items():
        assert words.kind_of(name) != "word", name
        assert 0 < len(set(parts)) == len(parts), name
        assert {part for part in parts if words.kind_of(part) == "word"} == set(), name
        assert not any(name == part or name in words.ancestors(part) for part in parts), name


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ("pneumonia", "consolidation"),
        ("hepatocellular carcinoma", "carcinoma"),
        ("mandible", "jaw"),
        ("L4", "spine"),
        ("superior vena cava", "vena cava"),
        ("neutrophil", "white cell"),
        ("subdural hematoma", "hemorrhage"),
        ("arterial phase", "enhanced with contrast"),
        ("femoral head", "femur"),
        ("Colles fracture", "fracture"),
    ],
)
def test_the_narrower_is_under_the_broader(narrow: str, wide: str) -> None:
    (term,) = read(narrow).statements[0].terms
    assert wide in lexicon().ancestors(term.name)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("oral cavity", "cavity"),
        ("subcutaneous emphysema", "emphysema"),
        ("hepatocellular carcinoma", "squamous cell carcinoma"),
        ("superior mesenteric artery", "inferior mesenteric artery"),
        ("T1 vertebra", "T1-weighted"),
        ("mass effect", "mass"),
        ("transverse process", "transverse"),
        ("femoral artery", "femoral"),
        ("AP diameter", "AP"),
        ("patent foramen ovale", "patent"),
        ("open arrow", "open"),
        ("clear cell", "clear"),
        ("growth plate", "growth"),
        ("wall of the fundus", "fundus photograph"),
        ("turbo spin echo", "echo"),
    ],
)
def test_a_word_in_a_name_is_not_the_word(one: str, other: str) -> None:
    said, also = (read(text).statements[0].terms for text in (one, other))
    assert said
    assert also
    assert {term.name for term in said} & {term.name for term in also} == set()


def test_three_dimensions_count_nothing() -> None:
    (statement,) = read("3D reconstruction of 2 fractures.").statements
    (amount,) = statement.amounts
    assert amount.quantity.values == (2.0,)
    assert [token.word for token in tokens_of("A 2D scan, 3 days")] == ["a", "2d", "scan", ",", "3", "day"]
