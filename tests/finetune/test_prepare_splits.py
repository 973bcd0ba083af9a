"""Where records go, and which pictures are copies."""

from __future__ import annotations

from pathlib import Path

from prepare_makers import captions, copy_of, made, picture, png, saved, splits_of

import imaging
from finetune.prepare.copies import look_alikes
from finetune.prepare.found import Found
from finetune.prepare.options import Options
from finetune.prepare.pages import HEIGHT, WIDTH, pages_of
from finetune.prepare.splits import Shares, assign, drawn, grouped, sample, shares, split_name


def test_articles_and_copies_are_on_one_side(tmp_path: Path) -> None:
    captions(tmp_path / "in", 24, a_case=2)
    (tmp_path / "in/pictures/23.png").write_bytes(copy_of(0))
    report = made(tmp_path / "in", tmp_path / "out", dev=0.3, test=0.3)
    found = splits_of(tmp_path / "out", report)
    assert set(found.values()) == {"train", "dev", "test"}
    assert all(found[f"r{n}"] == found[f"r{n + 1}"] for n in range(0, 24, 2))
    assert found["r0"] == found["r23"]
    assert (report.groups, report.copies, report.leaks) == (11, 1, ())


def test_splits_follow_from_the_seed_and_records_added_move_no_others(tmp_path: Path) -> None:
    captions(tmp_path / "in", 16, a_case=1)
    few = splits_of(tmp_path / "a", made(tmp_path / "in", tmp_path / "a", dev=0.3, test=0.3))
    captions(tmp_path / "in", 24, a_case=1)
    more = splits_of(tmp_path / "b", made(tmp_path / "in", tmp_path / "b", dev=0.3, test=0.3))
    assert few.items() <= more.items()
    assert set(few.values()) == {"train", "dev", "test"}
    other = splits_of(tmp_path / "c", made(tmp_path / "in", tmp_path / "c", dev=0.3, test=0.3, seed=5))
    assert other != more


def test_splits_that_are_given_stay_and_only_what_is_lacking_is_drawn() -> None:
    assert shares(set(), Options()) == Shares(0.1, 0.1)
    assert shares({"train", "dev"}, Options()) == Shares(0.0, 0.0)
    assert shares({"train", "test"}, Options()) == Shares(0.1, 0.0)
    assert shares({"train", "dev"}, Options(dev=0.5, test=0.2)) == Shares(0.0, 0.2)
    groups = [f"g{n // 2}" for n in range(400)]
    given = ["test" if n < 100 else "train" for n in range(400)]
    drawn_splits = assign(given, groups, Shares(0.25, 0.0), seed=0)
    assert drawn_splits[:100] == ["test"] * 100
    assert set(drawn_splits[100:]) == {"train", "dev"}
    assert 40 <= drawn_splits.count("dev") <= 110
    assert all(drawn_splits[n] == drawn_splits[n + 1] for n in range(0, 400, 2))
    assert assign([None, "dev", "train"], ["g", "g", "g"], Shares(0, 0.99), 0) == ["dev", "dev", "train"]


def test_names_of_splits_are_brought_to_ours() -> None:
    given = ("Train", "valid", "validation", "VAL", "test", "holdout", "../up", "left_out", " ", None)
    assert [split_name(name) for name in given] == [
        "train", "dev", "dev", "dev", "test", "holdout", "-up", "left_out_", None, None
    ]  # fmt: skip


def test_a_group_is_named_by_its_first_record_and_reaches_through_others() -> None:
    keys = [["article a", "pixels 1"], ["article b", "pixels 2"], ["article c", "pixels 2"], ["article d", "pixels 9"]]
    assert grouped(keys, []) == ["article a", "article b", "article b", "article d"]
    assert grouped(keys, [("1", "2")]) == ["article a", "article a", "article a", "article d"]


def test_so_many_records_are_whole_articles_and_the_same_ones_each_time() -> None:
    records = [Found(str(n), "caption", "x", article=f"a{n // 3}") for n in range(90)]
    taken = sample(records, 31, 0)
    assert len(taken) == 30
    articles = {record.article for record in taken}
    assert taken == [record for record in records if record.article in articles]
    assert sample(records, 31, 0) == taken != sample(records, 31, 1)
    assert 0 <= drawn("a", 0) < 1


def test_copies_are_found_and_strangers_of_near_hashes_are_not() -> None:
    files = {f"{n}": png(n) for n in range(12)} | {"copy": copy_of(3), "recompressed": saved(picture(5), "JPEG")}
    loaded = {name: imaging.decode(data, name) for name, data in files.items()}
    near = {name: image.phash for name, image in loaded.items()} | {"7": loaded["8"].phash}  # strangers, equal hashes
    asked: list[int] = []
    pairs = look_alikes(near, lambda name: imaging.thumbnail(loaded[name].picture), asked.append)
    assert {frozenset(pair) for pair in pairs} == {frozenset({"3", "copy"}), frozenset({"5", "recompressed"})}
    assert asked[-1] == len(near)
    assert look_alikes({}, lambda _: b"", asked.append) == []


def test_pages_hold_every_word_within_their_margins_and_follow_from_seed_and_text() -> None:
    text = "\n".join(f"FINDING {n}: " + "unremarkable parenchyma " * 30 + "x" * 200 for n in range(12))
    pages = pages_of("report", text, seed=0)
    assert len(pages) >= 2
    assert "".join("".join(page.lines) for page in pages).replace(" ", "") == "".join(text.split())
    image = pages[0].load()
    look = pages[0].look
    assert (image.width, image.height) == (WIDTH, HEIGHT)
    dark = image.pixels[:, :, 0] < 128
    assert dark.any()
    assert not dark[:, : look.left - 4].any()
    assert not dark[:, WIDTH - look.left + 4 :].any()
    assert not dark[: look.top - 4].any()
    assert not dark[HEIGHT - look.top + 4 :].any()
    assert pages_of("report", text, seed=0) == pages
    looks = {pages_of("report", f"{text} {n}", seed=0)[0].look for n in range(8)}
    assert len({look.size for look in looks}) > 1
    assert len({look.left for look in looks}) > 1
    assert len({page.stamp for page in pages}) == len(pages)
