"""The store: nothing lost, nothing doubled, whoever writes at once and whoever is killed."""

import json
import os
import random
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from made_ratings import ARMS, made_run, made_task, rate_all

from evaluation.errors import RatingsError
from evaluation.ratings.making import Sample, make_task
from evaluation.ratings.session import Session
from evaluation.ratings.store import Store, read_ratings
from evaluation.ratings.types import Answer, Rating

RATE = """
import json, random, sys
from pathlib import Path
from evaluation.ratings.session import Session
from evaluation.ratings.store import Store
from evaluation.ratings.types import PREFERENCES, Answer

for rater in sys.argv[2:]:
    rng = random.Random(rater)
    with Store.open(Path(sys.argv[1])) as store:
        session = Session(store, rater)
        for given in store.plan(rater):
            answer = Answer(preferred=rng.choice(PREFERENCES))
            session.save(answer)
            if rng.random() < 0.2:  # a form that is sent twice
                session.back()
                session.save(answer)
            print(json.dumps([rater, given.item, given.occasion, answer.preferred]), flush=True)
"""


def raters(file: Path, *names: str) -> subprocess.Popen[str]:
    """A process in which raters answer all that they are given; it prints each answer once it is kept."""
    root = Path(__file__).parents[3]
    return subprocess.Popen(
        [sys.executable, "-c", RATE, str(file), *names], cwd=root, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def test_fifty_raters_in_several_processes_lose_and_double_nothing(tmp_path: Path) -> None:
    file = made_task(tmp_path, "pairwise", Sample(items=20))
    names = [f"rater {n}" for n in range(50)]
    processes = [raters(file, *names[n::5]) for n in range(5)]
    sent = [tuple(json.loads(line)) for p in processes for line in p.communicate()[0].splitlines()]
    assert [p.returncode for p in processes] == [0] * 5
    found = read_ratings(file)
    assert len(sent) == 50 * 21  # 20 pairs, one of them shown twice
    assert sorted((*r.key, r.answer.preferred) for r in found.ratings) == sorted(sent)
    assert found.replaced == 0
    assert set(found.assigned.values()) == {21}


def test_what_was_kept_before_a_kill_is_there(tmp_path: Path) -> None:
    file = made_task(tmp_path, "pairwise", Sample(items=30))
    process = raters(file, *(f"rater {n}" for n in range(100)))
    assert process.stdout is not None
    seen = [tuple(json.loads(process.stdout.readline())) for _ in range(25)]
    process.kill()
    seen += [tuple(json.loads(line)) for line in process.stdout.read().splitlines() if line.endswith("]")]
    process.stdout.close()
    process.wait()
    kept = {(*r.key, r.answer.preferred) for r in read_ratings(file).ratings}
    assert set(seen) <= kept
    assert len(kept) <= len(seen) + 1
    with sqlite3.connect(file) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_second_answer_replaces_the_first_which_is_not_lost(tmp_path: Path) -> None:
    file = made_task(tmp_path, "pairwise")
    with Store.open(file) as store:
        rater = store.join("anna")
        first = Rating(rater, store.plan(rater)[0].item, 1, False, Answer(preferred="first"), 3.0, "")
        assert store.save(first) == "new"
        assert store.save(replace(first, seconds=9.0)) == "same"
        assert store.save(replace(first, answer=Answer(preferred="tie"))) == "replaced"
        kept = store.rating(*first.key)
        assert kept is not None
        assert kept.answer.preferred == "tie"
        assert len(store.ratings()) == store.replaced() == 1


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(3, 4), "no usefulness: give 1 to 5 for each, or skip"),
        (Answer(0, 4, 4), "accuracy is 0: give 1 to 5"),
        (Answer(6, 4, 4), "accuracy is 6"),
        (Answer(3, 4, 5, preferred="tie"), "preferred is for pairs"),
        (Answer(3, 4, 5, skipped=True), "skipped, and yet answered"),
        (Answer(), "no accuracy, no completeness, no usefulness"),
    ],
)
def test_what_is_no_answer_is_refused(answer: Answer, told: str, tmp_path: Path) -> None:
    file = made_task(tmp_path)
    with Store.open(file) as store:
        item = next(item for item in store.items if not item.repeated)
        with pytest.raises(RatingsError, match=told):
            store.save(Rating("anna", item.id, 1, False, answer, None, ""))
        with pytest.raises(RatingsError, match=r"not shown a 2\. time"):
            store.save(Rating("anna", item.id, 2, False, Answer(1, 1, 1), None, ""))
        with pytest.raises(RatingsError, match="no item 'nowhere'"):
            store.save(Rating("anna", "nowhere", 1, False, Answer(1, 1, 1), None, ""))
        assert store.ratings() == ()


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 65, "\x1b[2J"])
def test_a_name_that_is_none_is_refused(name: str, tmp_path: Path) -> None:
    with Store.open(made_task(tmp_path)) as store, pytest.raises(RatingsError, match="no rater's name"):
        store.join(name)


def test_each_rater_has_an_order_of_their_own_that_stays(tmp_path: Path) -> None:
    file = made_task(tmp_path, "pairwise", Sample(repeated=0.3))
    with Store.open(file) as store:
        anna, ben = store.join("anna"), store.join(" ben ")
        plans = store.plan(anna), store.plan(ben)
    assert ben == "ben"
    assert {a.item for a in plans[0]} == {b.item for b in plans[1]}
    assert [a.item for a in plans[0]] != [b.item for b in plans[1]]
    for plan in plans:
        assert 0 < sum(a.swapped for a in plan) < len(plan)
        first = {a.item: a.position for a in plan if a.occasion == 1}
        again = {a.item: a.position for a in plan if a.occasion == 2}
        assert len(again) == 9
        assert all(position - first[item] >= 5 for item, position in again.items())
    with Store.open(file) as store:
        store.join("anna")
        assert store.plan("anna") == plans[0]


def test_raters_with_few_items_share_them_out_evenly(tmp_path: Path) -> None:
    file = made_task(tmp_path, "single", Sample(per_rater=20, repeated=0.0))
    with Store.open(file) as store:
        for number in range(6):
            store.join(f"rater {number}")
        seen = [a.item for number in range(6) for a in store.plan(f"rater {number}")]
        counts = [seen.count(item.id) for item in store.items]
    assert len(seen) == 120
    assert set(counts) == {2}


def test_a_session_goes_on_where_it_was(tmp_path: Path) -> None:
    file = made_task(tmp_path)
    rate_all(file, raters=1, few=7)
    with Store.open(file) as store:
        session = Session(store, "rater 0")
        assert (session.page().position, session.page().done) == (7, 7)
        session.back()
        session.back()
        assert session.page().answer is not None
        session.go_on()
        assert session.page().position == 7
    assert {rating.seconds for rating in read_ratings(file).ratings} == {7.0}


def test_files_that_are_none_are_told_apart(tmp_path: Path) -> None:
    file = made_task(tmp_path)
    with pytest.raises(RatingsError, match="no such file"):
        Store.open(tmp_path / "none.sqlite")
    (tmp_path / "text").write_text("no database at all, whatever it is called" * 100)
    with pytest.raises(RatingsError, match="cannot be read as a file of ratings"):
        Store.open(tmp_path / "text")
    with sqlite3.connect(tmp_path / "other.sqlite") as db:
        db.execute("CREATE TABLE task (key)")
    with pytest.raises(RatingsError, match="is no file of ratings"):
        Store.open(tmp_path / "other.sqlite")
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA user_version = 2")
    with pytest.raises(RatingsError, match="has version 2 of the tables, this program reads 1"):
        Store.open(file)


def test_a_file_that_cannot_be_written_says_so_and_is_read(tmp_path: Path) -> None:
    file = made_task(tmp_path)
    rate_all(file, raters=1, few=5)
    before = read_ratings(file)
    with Store.open(file) as store:
        store._db.execute("PRAGMA query_only = ON")
        with pytest.raises(RatingsError, match=r"was not written: .*What was answered before is kept"):
            Session(store, "ben")
    assert read_ratings(file) == before


def test_what_others_keep_is_read_where_the_file_may_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = made_task(tmp_path)
    with Store.open(file) as store:  # while it is open, answers are in the `-wal` alone
        session = Session(store, "anna")
        for _ in range(4):
            session.save(Answer(1, 2, 3))
        monkeypatch.setattr("os.access", lambda *_: False)  # root may write whatever the mode says
        assert len(read_ratings(file).ratings) == 4
        with Store.open(file) as reader, pytest.raises(RatingsError, match="was not written: attempt to write a read"):
            Session(reader, "ben")
    assert not file.with_name(f"{file.name}-wal").exists()
    assert len(read_ratings(file).ratings) == 4
    assert {path.name for path in tmp_path.iterdir()} == {"images", file.name}


def test_a_task_is_never_written_over(tmp_path: Path) -> None:
    file = made_task(tmp_path)
    before = file.read_bytes()
    with pytest.raises(RatingsError, match="is there already, and may hold ratings"):
        make_task({"a": made_run(tmp_path / "images", ARMS[0])}, file, "single")
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if "tmp" in path.name] == []


def test_random_answers_are_read_back_as_they_were(tmp_path: Path) -> None:
    file = made_task(tmp_path)
    rng = random.Random(0)
    with Store.open(file) as store:
        texts = ["", "x\x00y", "\u202e", "'; DROP TABLE ratings; --", "\n\r\t", "\U0001f600" * 50]
        for item in store.items[:20]:
            said = Answer(1, 2, 3, comment=rng.choice(texts), edited=rng.choice(texts))
            store.save(Rating("anna", item.id, 1, False, said, 1.5, "2026-01-02T03:04:05+00:00"))
            kept = store.rating("anna", item.id, 1)
            assert kept is not None
            assert kept.answer == said
