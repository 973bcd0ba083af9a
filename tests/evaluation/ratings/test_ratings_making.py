"""Tasks: the same images for every arm, each stratum its share, all from one seed."""

import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_ratings import ARMS, made_run, made_task

from evaluation.errors import RatingsError
from evaluation.ratings.gold import read_gold
from evaluation.ratings.making import Sample, make_task
from evaluation.ratings.sampling import allocate, pairs
from evaluation.ratings.store import read_ratings
from evaluation.ratings.types import Kind


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 300), min_size=1, max_size=8), st.integers(1, 1000))
def test_strata_get_their_share_and_none_is_forgotten(sizes: dict[str, int], total: int) -> None:
    found = allocate(sizes, total)
    everything = sum(sizes.values())
    assert sum(found.values()) == min(total, everything)
    assert all(0 <= found[name] <= sizes[name] for name in sizes)
    if total >= len(sizes):
        assert min(found.values()) >= 1
        small = sum(min(total, everything) * size / everything < 1 for size in sizes.values())
        assert all(abs(found[n] - min(total, everything) * sizes[n] / everything) <= 1 + small for n in sizes)


def test_every_arm_has_the_same_images_and_every_modality_its_share(tmp_path: Path) -> None:
    found = read_ratings(made_task(tmp_path, "single", Sample(items=24)))
    by_arm = {arm: sorted(i.image_id for i in found.items if i.texts[0].arm == arm) for arm in ARMS}
    assert by_arm[ARMS[0]] == by_arm[ARMS[1]]
    assert Counter(item.stratum for item in found.items) == {"MR": 8, "CT": 16}
    assert sum(item.repeated for item in found.items) == 1
    assert {item.group for item in found.items} <= {f"case {n}" for n in range(15)}


def test_images_are_drawn_by_source_and_organ_where_the_set_tells_them(tmp_path: Path) -> None:
    run = made_run(tmp_path / "images", ARMS[0], 40)
    told: list[dict[str, str | None]] = [{"source": "archive", "organ": "chest", "year": "2001"}, {"source": "atlas"}]
    told += [{"organ": None}, {}]
    cases = tuple(replace(case, modality="CT", splits=told[n % 4]) for n, case in enumerate(run.cases))
    make_task({"a": replace(run, cases=cases)}, tmp_path / "t.sqlite", "single", Sample(items=8))
    strata = Counter(item.stratum for item in read_ratings(tmp_path / "t.sqlite").items)
    assert strata == {"CT / archive / chest": 2, "CT / atlas": 2, "CT": 4}


def test_a_task_follows_from_its_seed(tmp_path: Path) -> None:
    made = [read_ratings(made_task(tmp_path / name, "pairwise", Sample(12, seed))).items
            for name, seed in (("a", 1), ("b", 1), ("c", 2))]  # fmt: skip
    ids = [[(item.id, item.image_id, [text.arm for text in item.texts]) for item in items] for items in made]
    assert ids[0] == ids[1]
    assert not {id_ for id_, *_ in ids[0]} & {id_ for id_, *_ in ids[2]}


def test_sides_and_order_say_nothing_of_the_arms(tmp_path: Path) -> None:
    items = read_ratings(made_task(tmp_path, "pairwise", Sample(items=200), images=200)).items
    first = sum(item.texts[0].arm == ARMS[0] for item in items)
    assert 70 < first < 130  # 100 and 4.2 standard deviations
    singles = read_ratings(made_task(tmp_path, "single", Sample(items=400), images=200)).items
    changes = sum(a.texts[0].arm != b.texts[0].arm for a, b in pairwise(singles))
    assert 150 < changes < 250


def test_pairs_of_arms_are_seen_as_often_and_equal_texts_never() -> None:
    texts = [{arm: f"{arm} {n}" for arm in "abc"} for n in range(30)]
    texts[3] = {"a": "same", "b": "same", "c": "other"}
    one_each = list(pairs(texts, 30))
    assert len({image for image, *_ in one_each}) >= 29
    counts = Counter((a, b) for _, a, b in one_each)
    assert max(counts.values()) - min(counts.values()) <= 2
    everything = list(pairs(texts, 1000))
    assert len(everything) == 30 * 3 - 1
    assert (3, "a", "b") not in everything


def test_what_cannot_be_rated_is_counted(tmp_path: Path) -> None:
    first, second = (made_run(tmp_path / "images", name, 10) for name in ARMS)
    records = {**second.records, "r1": {**second.records["r1"], "caption": ""}}
    records["r2"] = {**records["r2"], "caption": first.text("r2")}
    del records["r3"]
    runs = {ARMS[0]: first, ARMS[1]: replace(second, records=records)}
    task = make_task(runs, tmp_path / "t.sqlite", "pairwise")
    assert task.left_out == {
        "not described in every run": 1, "no text in some run": 1, "the same text in every run": 1,
    }  # fmt: skip
    assert {i.image_id for i in read_ratings(tmp_path / "t.sqlite").items} == {f"r{n}" for n in (0, 4, 5, 6, 7, 8, 9)}


def test_runs_that_do_not_fit_are_named(tmp_path: Path) -> None:
    first = made_run(tmp_path / "a", ARMS[0], 4)
    with pytest.raises(RatingsError, match="pairs need two runs"):
        make_task({"one": first}, tmp_path / "t.sqlite", "pairwise")
    other = {id_: {**record, "image_sha256": "0" * 64} for id_, record in first.records.items()}
    with pytest.raises(RatingsError, match=r"r0, r1, r2, r3: one id, but another image file in one, two"):
        make_task({"one": first, "two": replace(first, records=other)}, tmp_path / "t.sqlite", "single")
    with pytest.raises(RatingsError, match=r"nothing to rate in one, two \(not described in every run: 4\)"):
        make_task({"one": first, "two": replace(first, records={})}, tmp_path / "t.sqlite", "single")
    assert not (tmp_path / "t.sqlite").exists()


@pytest.mark.parametrize(("asked", "shown"), [("auto", False), ("show", True), ("hide", False)])
def test_evidence_is_hidden_where_it_would_tell_the_arms_apart(asked: str, shown: bool, tmp_path: Path) -> None:
    runs = {
        ARMS[0]: made_run(tmp_path / "i", ARMS[0]),
        ARMS[1]: made_run(tmp_path / "i", ARMS[1], evidence=False),
    }
    make_task(runs, tmp_path / "t.sqlite", "single", Sample(evidence=asked))  # type: ignore[arg-type]
    assert any(i.texts[0].evidence for i in read_ratings(tmp_path / "t.sqlite").items) == shown
    both = read_ratings(made_task(tmp_path / "both"))
    assert all(item.texts[0].evidence for item in both.items)


def test_no_secret_of_an_address_is_kept(tmp_path: Path) -> None:
    run = made_run(tmp_path / "i", ARMS[0])
    cases = [replace(case, image=f"https://user:pa55@example.org/{case.id}?token=s3cret") for case in run.cases]
    records = {id_: {**record, "model": "http://me:pa55@host/v1?api_key=s3cret"} for id_, record in run.records.items()}
    make_task({"a": replace(run, cases=tuple(cases), records=records)}, tmp_path / "t.sqlite", "single")
    kept = (tmp_path / "t.sqlite").read_bytes()
    assert b"example.org" in kept
    assert b"s3cret" not in kept
    assert b"pa55" not in kept


def gold_file(tmp_path: Path, *lines: object) -> Path:
    made_run(tmp_path / "images", ARMS[0], 2)
    file = tmp_path / "gold.jsonl"
    file.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n")
    return file


def test_gold_items_are_shown_to_all_and_look_like_the_others(tmp_path: Path) -> None:
    lines = [{"image": "images/0.png", "text": "A bus.", "accuracy": 1, "usefulness": [1, 2]}, "",
             {"image": "images/1.png", "text": "A car.", "accuracy": 1}]  # fmt: skip
    gold = read_gold(gold_file(tmp_path, *lines), "single")
    file = made_task(tmp_path, "single", Sample(per_rater=5), tuple(gold))
    found = read_ratings(file)
    mine = [item for item in found.items if item.gold is not None]
    assert [item.gold for item in sorted(mine, key=lambda i: i.image_id)] == [
        {"accuracy": [1], "usefulness": [1, 2]}, {"accuracy": [1]},
    ]  # fmt: skip
    assert all(item.texts[0].arm is None for item in mine)
    assert {len(item.id) for item in found.items} == {12}


@pytest.mark.parametrize(
    ("kind", "line", "told"),
    [
        ("single", {"image": "images/0.png", "text": "x", "acuracy": 1}, "unknown key 'acuracy'; did you mean"),
        ("single", {"image": "images/0.png", "text": "x", "accuracy": 6}, "line 2: gold: accuracy"),
        ("single", {"image": "images/0.png", "text": "x"}, "no right answer: give one of accuracy"),
        ("single", {"image": "images/9.png", "text": "x", "accuracy": 1}, "no such image"),
        ("single", "{", "line 2: Expecting"),
        ("single", "[]", "not a JSON object"),
        ("pairwise", {"image": "images/0.png", "first": "x", "second": "y", "preferred": "A"}, "preferred: input"),
    ],
)  # fmt: skip
def test_wrong_gold_is_named_by_line(kind: Kind, line: object, told: str, tmp_path: Path) -> None:
    right: dict[str, object] = {"image": "images/0.png", "text": "x", "accuracy": 1}
    if kind == "pairwise":
        right = {"image": "images/0.png", "first": "x", "second": "y", "preferred": "first"}
    with pytest.raises(RatingsError) as caught:
        read_gold(gold_file(tmp_path, right, line, right, line), kind)
    first, second = str(caught.value).split("\n")
    assert told in first
    assert first.startswith("gold.jsonl line 2")
    assert second.startswith("gold.jsonl line 4")


def test_a_line_of_gold_ends_where_json_lines_end(tmp_path: Path) -> None:
    text = "Axial CT.\u2028No mass.\x85End."
    line = json.dumps({"image": "images/0.png", "text": text, "accuracy": 5}, ensure_ascii=False)
    (item,) = read_gold(gold_file(tmp_path, line + "\r"), "single")
    assert item.texts[0].text == text


def test_items_of_one_image_can_be_in_several_pairs_where_there_are_few_images(tmp_path: Path) -> None:
    runs = {f"arm {n}": made_run(tmp_path / "i", "a" * (n + 1), 5) for n in range(3)}
    make_task(runs, tmp_path / "t.sqlite", "pairwise", Sample(items=12))
    items = read_ratings(tmp_path / "t.sqlite").items
    assert len(items) == 12
    assert len({(i.image_id, frozenset(t.arm for t in i.texts)) for i in items}) == 12


def test_ids_are_unique(tmp_path: Path) -> None:
    ids = [item.id for item in read_ratings(made_task(tmp_path, images=200)).items]
    assert len(set(ids)) == len(ids) == 400
