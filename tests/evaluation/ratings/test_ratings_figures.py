"""Alpha and strengths against published figures and a second implementation; raters; data to tune on."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from made_ratings import ARMS, made_task, rate_all
from scipy.stats import t

from evaluation.errors import RatingsError
from evaluation.ratings import agreement, mean_scores, rater_quality, read_ratings, strengths
from evaluation.ratings.alpha import Level, alpha
from evaluation.ratings.bradley_terry import Comparison, fit
from evaluation.ratings.dataset import Rules, fine_tuning, preferences
from evaluation.ratings.gold import read_gold
from evaluation.ratings.making import Sample
from evaluation.ratings.store import Store
from evaluation.ratings.types import PREFERENCES, Answer, Preferred, Rating
from rag.prompts import PromptTemplate

# Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), examples A, B and C.
TWO_VALUES = ["0 1 0 0 0 0 0 0 1 0", "1 1 1 0 0 1 0 0 0 0"]
MANY_VALUES = ["1 1 2 2 4 3 3 3 5 4 4 1", "2 1 2 2 2 3 3 3 5 4 4 4"]
MISSING = ["1 2 3 3 2 1 4 1 2 * * *", "1 2 3 3 2 2 4 1 2 5 * 3", "* 3 3 3 2 3 4 2 2 5 1 *", "1 2 3 3 2 4 4 1 2 5 1 *"]

# Davidson, JASA 65 (1970), table 2: brands of chocolate pudding i, j; how many preferred i, j, neither.
PUDDING = """1 2 19 22 16
1 3 16 19 12
2 3 19 19 10
1 4 18 23 13
2 4 23 19 9
3 4 19 20 15
1 5 13 19 18
2 5 16 20 12
3 5 16 15 17
4 5 17 14 16
1 6 18 21 12
2 6 22 20 12
3 6 13 18 10
4 6 14 19 18
5 6 11 21 12"""


def counts(rows: Sequence[str], values: int) -> np.ndarray:
    found = np.zeros((len(rows[0].split()), values), dtype=np.int64)
    for row in rows:
        for item, value in enumerate(row.split()):
            if value != "*":
                found[item, int(value) % values] += 1
    return found


@pytest.mark.parametrize(
    ("rows", "values", "level", "published"),
    [
        (TWO_VALUES, 2, "nominal", 0.095),
        (MANY_VALUES, 6, "nominal", 0.692),
        (MISSING, 6, "nominal", 0.743),
        (MISSING, 6, "ordinal", 0.815),
    ],
)
def test_alpha_is_as_published(rows: list[str], values: int, level: Level, published: float) -> None:
    assert alpha(counts(rows, values), level) == pytest.approx(published, abs=5e-4)


def pudding() -> list[Comparison]:
    found = []
    for line in PUDDING.split("\n"):
        i, j, *said = map(int, line.split())
        for preferred, count in zip(PREFERENCES, said, strict=True):
            found += [Comparison(f"brand {i}", f"brand {j}", preferred, (line, preferred, n)) for n in range(count)]
    return found


def test_strengths_are_as_published() -> None:
    """Davidson stopped after seven iterations; R's PlackettLuce does so in its vignette, and has these figures."""
    found = fit(pudding())
    worths = np.exp([each.value for each in found.arms.values()])
    published = [0.1390, 0.1730, 0.1618, 0.1654, 0.1588, 0.2020]
    assert worths / worths.sum() == pytest.approx(published, abs=5e-4)
    assert found.tie is not None
    assert np.exp(found.tie.value) == pytest.approx(0.7467, abs=5e-4)
    # Every comparison a cluster of its own: the sandwich is near the model's own errors, 0.1872 in the vignette.
    above = found.difference("brand 2", "brand 1")
    assert above.high is not None
    assert (above.high - above.value) / 1.9628 == pytest.approx(0.1872, abs=0.003)


def drawn(ties: bool, groups: int, seed: int = 0) -> list[Comparison]:
    rng = np.random.default_rng(seed)
    arms, found = {"a": 0.5, "b": 0.1, "c": -0.6}, []
    for n in range(400):
        one, other = rng.choice(list(arms), 2, replace=False)
        odds = np.exp([arms[one], arms[other], (arms[one] + arms[other]) / 2 if ties else -np.inf])
        outcome: Preferred = PREFERENCES[rng.choice(3, p=odds / odds.sum())]
        found.append(Comparison(str(one), str(other), outcome, n % groups))
    return found


@pytest.mark.filterwarnings("ignore")
def test_strengths_and_errors_are_those_of_a_conditional_logit() -> None:
    """statsmodels has the model as a choice of three alternatives, with a contrast to arm c and a column for ties."""
    from statsmodels.discrete.conditional_models import ConditionalLogit

    comparisons = drawn(ties=True, groups=400)[:120]
    along = {"a": np.asarray([1.0, 0, 0]), "b": np.asarray([0, 1.0, 0]), "c": np.zeros(3)}
    rows, chosen, which = [], [], []
    for n, each in enumerate(comparisons):
        first, second = along[each.first], along[each.second]
        rows += [first, second, (first + second) / 2 + [0, 0, 1]]
        chosen += [each.preferred == name for name in PREFERENCES]
        which += [n] * 3
    model = ConditionalLogit(np.asarray(chosen, float), np.asarray(rows), groups=np.asarray(which))
    theirs = model.fit(disp=False, method="newton")
    ours = fit(comparisons)
    assert ours.tie is not None
    found = [ours.difference("a", "c"), ours.difference("b", "c"), ours.tie]
    assert [each.value for each in found] == pytest.approx(list(theirs.params), abs=1e-6)
    halves = [(each.high or 0) - each.value for each in found]
    assert halves == pytest.approx(list(1.98 * theirs.bse), rel=0.12)  # theirs without the sandwich


def test_what_is_said_of_several_arms_is_corrected_for_how_many_they_are() -> None:
    """Of five arms that are alike, ten differences: without Holm one is found in a third of studies (Tukey's range)."""
    rng = np.random.default_rng(1)
    alone, together, studies = 0, 0, 40
    for _ in range(studies):
        pairs = [rng.choice(list("abcde"), 2, replace=False) for _ in range(100)]
        found = fit([Comparison(a, b, PREFERENCES[rng.integers(3)], n) for n, (a, b) in enumerate(pairs)]).differences
        assert [each.p for each in found] != [each.p_adjusted for each in found]
        alone += any(each.p <= 0.05 for each in found)
        together += any(each.sure for each in found)
    assert alone > studies / 5
    assert together <= studies / 10


def test_p_of_a_difference_is_that_of_its_interval() -> None:
    found = fit(drawn(ties=True, groups=60))
    assert [(each.first, each.second) for each in found.differences] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert found.ranked == ["a", "b", "c"]
    smallest = min(each.p for each in found.differences)
    assert min(each.p_adjusted or 0 for each in found.differences) == pytest.approx(3 * smallest)
    for each in found.differences:
        assert each.log_strength == found.difference(each.first, each.second)
        half = (each.log_strength.high or 0) - each.log_strength.value
        at = each.log_strength.value / half * t.ppf(0.975, found.degrees)
        assert each.p == pytest.approx(2 * t.sf(at, found.degrees))
    (one,) = fit([c for c in drawn(ties=True, groups=60) if "c" not in (c.first, c.second)]).differences
    assert one.p_adjusted is None
    assert one.sure == (one.p <= 0.05)


def test_without_ties_it_is_bradley_and_terrys_model() -> None:
    import choix

    comparisons = drawn(ties=False, groups=400)
    numbers = {"a": 0, "b": 1, "c": 2}
    won = [(numbers[c.first], numbers[c.second]) if c.preferred == "first" else (numbers[c.second], numbers[c.first])
           for c in comparisons]  # fmt: skip
    found = fit(comparisons)
    assert found.tie is None
    assert [each.value for each in found.arms.values()] == pytest.approx(choix.opt_pairwise(3, won), abs=1e-4)


def test_ratings_of_one_article_count_as_what_they_are() -> None:
    """The same 400 comparisons said three times over by the same articles know no more than once."""
    once = fit(drawn(ties=True, groups=400))
    thrice = fit(drawn(ties=True, groups=400) * 3)
    alone = fit([Comparison(c.first, c.second, c.preferred, n) for n, c in enumerate(drawn(ties=True, groups=400) * 3)])
    width = [(found.arms["a"].high or 0) - found.arms["a"].value for found in (once, thrice, alone)]
    assert width[1] == pytest.approx(width[0], rel=1e-6)
    assert width[2] == pytest.approx(width[0] / 3**0.5, rel=0.01)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ([("a", "b", "first")] * 5, "a won or lost all|b won or lost all"),
        ([("a", "b", "first")] * 5 + [("a", "b", "tie")] * 3, "a won or lost all|b won or lost all"),
        ([("a", "b", "tie")] * 5, "not finite yet"),
        (
            [("a", "b", "first"), ("a", "b", "second")] * 3 + [("c", "d", "first"), ("c", "d", "second")],
            "not finite yet",
        ),
        ([("a", "b", "first"), ("a", "b", "second"), ("b", "c", "first"), ("a", "c", "first")], "c won or lost all"),
        ([("a", "b", "first")], "two articles or more"),
        ([], "two articles or more"),
    ],
)
def test_strengths_that_have_no_finite_value_are_refused(said: list[tuple[str, str, Preferred]], told: str) -> None:
    with pytest.raises(RatingsError, match=told):
        fit([Comparison(*each, n) for n, each in enumerate(said)])


def test_agreement_of_raters_who_agree_and_of_some_who_do_not(tmp_path: Path) -> None:
    file = made_task(tmp_path)
    with Store.open(file) as store:
        for number, item in enumerate(store.items):
            score = 1 + number % 5
            for rater in ("anna", "ben"):
                said = Answer(score, 1 + (number * (3 if rater == "ben" else 1)) % 5, 3)
                store.save(Rating(rater, item.id, 1, False, said, None, ""))
    found = agreement(read_ratings(file))
    accuracy, completeness, usefulness = (found[q] for q in ("accuracy", "completeness", "usefulness"))
    assert accuracy.alpha is not None
    assert (accuracy.alpha.value, accuracy.items, accuracy.raters) == (1.0, 60, 2)
    assert completeness.alpha is not None
    assert completeness.alpha.low is not None
    assert completeness.alpha.low < completeness.alpha.value < (completeness.alpha.high or 0) < 0.9
    assert usefulness.alpha is None
    assert usefulness.why == "every answer is the same"


def test_the_arm_that_raters_prefer_is_the_stronger(tmp_path: Path) -> None:
    file = made_task(tmp_path, "pairwise")
    with Store.open(file) as store:
        for number, item in enumerate(store.items):
            better: Preferred = "first" if item.texts[0].arm == ARMS[1] else "second"
            other: Preferred = "second" if better == "first" else "first"
            said = better if number % 3 else other if number % 2 else "tie"
            store.save(Rating("anna", item.id, 1, number % 2 == 0, Answer(preferred=said), 2.0, ""))
    ratings = read_ratings(file)
    found = strengths(ratings)
    above = found.difference(ARMS[1], ARMS[0])
    assert above.low is not None
    assert above.low > 0
    assert (found.counted[ARMS[1]].won, found.counted[ARMS[1]].lost, found.counted[ARMS[1]].tied) == (20, 5, 5)
    assert agreement(ratings)["preferred"].why == "no item was judged by two raters"
    with pytest.raises(RatingsError, match="strengths are of pairs"):
        strengths(read_ratings(made_task(tmp_path)))


def test_raters_are_measured(tmp_path: Path) -> None:
    made_task(tmp_path / "images")
    lines = [
        {"image": f"images/images/{n}.png", "text": f"Gold {n}.", "accuracy": 1, "usefulness": [1, 2]} for n in (0, 1)
    ]
    (tmp_path / "gold.jsonl").write_text("\n".join(map(json.dumps, lines)))
    gold = read_gold(tmp_path / "gold.jsonl", "single")
    file = made_task(tmp_path, "single", Sample(items=20, repeated=0.1), tuple(gold))
    with Store.open(file) as store:
        for rater in ("careful", "hasty"):
            store.join(rater)
            for given in store.plan(rater):
                item = store.item(given.item)
                careful = Answer(1, 1, 2) if item.gold else Answer(4, 4, 4, edited="Better.")
                said = careful if rater == "careful" else Answer(5, 5, 1 if given.occasion == 1 else 2)
                seconds = 30.0 if rater == "careful" else 1.0
                store.save(Rating(rater, item.id, given.occasion, False, said, seconds, ""))
        store.join("idle")
    ratings = read_ratings(file)
    careful, hasty, idle = rater_quality(ratings)
    assert (careful.gold_right, careful.gold_asked, careful.repeated_same, careful.repeated_asked) == (4, 4, 6, 6)
    assert (hasty.gold_right, hasty.gold_asked, hasty.repeated_same, hasty.repeated_asked) == (2, 4, 4, 6)
    assert (careful.seconds, hasty.seconds, idle.seconds) == (30.0, 1.0, None)
    assert (careful.assigned, careful.rated, careful.edited, idle.rated) == (24, 24, 22, 0)
    assert {item.texts[0].arm for item, _ in ratings.judged} == set(ARMS)
    means = mean_scores(ratings)
    assert means[ARMS[0]]["accuracy"].value == 4.5


def test_what_a_side_that_is_always_taken_looks_like(tmp_path: Path) -> None:
    file = made_task(tmp_path, "pairwise")
    with Store.open(file) as store:
        for given in store.plan(store.join("lazy")):
            said: Preferred = "second" if given.swapped else "first"
            store.save(Rating("lazy", given.item, given.occasion, given.swapped, Answer(preferred=said), 1.0, ""))
    (lazy,) = rater_quality(read_ratings(file))
    assert lazy.said_first == lazy.sided == lazy.rated


def test_edits_and_good_texts_become_a_fine_tuning_set(tmp_path: Path) -> None:
    file = made_task(tmp_path, "single", Sample(items=6))
    with Store.open(file) as store:
        ids = [item.id for item in store.items]
        texts = {item.id: item.texts[0].text for item in store.items}
        for item, said in zip(ids, [Answer(5, 4, 4), Answer(5, 5, 3), Answer(2, 2, 2, edited="Much better."),
                                    Answer(skipped=True), Answer(4, 4, 4)], strict=False):  # fmt: skip
            store.save(Rating("anna", item, 1, False, said, None, ""))
        store.save(Rating("ben", ids[4], 1, False, Answer(5, 5, 1), None, ""))
        store.save(Rating("ben", ids[2], 1, False, Answer(2, 2, 2, edited="Better still."), None, ""))
    lines = list(fine_tuning(read_ratings(file), Rules()))
    said = {line["id"]: line["completion"][0]["content"][0]["text"] for line in lines}
    assert said == {ids[0]: texts[ids[0]], f"{ids[2]}-1": "Much better.", f"{ids[2]}-2": "Better still."}
    assert lines[0]["prompt"][-1]["content"][0] == {"type": "image"}
    assert lines[0]["prompt"][-1]["content"][1]["text"].startswith("Describe this image")
    assert lines[0]["images"] == [item.image for item in read_ratings(file).items if item.id == ids[0]]
    assert set(lines[0]) == {"id", "images", "prompt", "completion", "origin"}  # TRL takes an `image` for the images
    assert lines[0]["origin"]["by"] == "rating"
    more = list(fine_tuning(read_ratings(file), Rules(least=3.0, prompt="findings_impression")))
    assert [line["id"] for line in more if line["origin"]["by"] == "rating"] == [ids[0], ids[1]]
    assert "Impression" in more[0]["prompt"][-1]["content"][1]["text"]


def test_preferences_come_from_pairs_edits_and_scores(tmp_path: Path) -> None:
    file = made_task(tmp_path, "pairwise", Sample(items=4))
    with Store.open(file) as store:
        items = store.items
        for item, votes in zip(items, (["first", "tie"], ["first", "second"], ["second"] * 2, ["tie"]), strict=True):
            for n, vote in enumerate(votes):
                store.save(Rating(f"r{n}", item.id, 1, False, Answer(preferred=vote), None, ""))  # type: ignore[arg-type]
    lines = {line["id"]: line for line in preferences(read_ratings(file), Rules())}
    assert list(lines) == [items[0].id, items[2].id]
    assert lines[items[0].id]["chosen"][0]["content"][0]["text"] == items[0].texts[0].text
    assert lines[items[2].id]["chosen"][0]["content"][0]["text"] == items[2].texts[1].text
    assert lines[items[2].id]["rejected"][0]["content"][0]["text"] == items[2].texts[0].text
    with pytest.raises(RatingsError, match="--kind preference only"):
        list(fine_tuning(read_ratings(file), Rules()))

    single = made_task(tmp_path, "single", Sample(items=4))
    with Store.open(single) as store:
        one, other = [item for item in store.items if item.image_id == store.items[0].image_id]
        store.save(Rating("anna", one.id, 1, False, Answer(2, 2, 3, edited="Better."), None, ""))
        store.save(Rating("anna", other.id, 1, False, Answer(4, 4, 4), None, ""))
    edit, scores = preferences(read_ratings(single), Rules())
    assert (edit["origin"]["by"], edit["chosen"][0]["content"][0]["text"]) == ("edit", "Better.")
    assert scores["chosen"][0]["content"][0]["text"] == other.texts[0].text
    assert len(list(preferences(read_ratings(single), Rules(margin=2.0)))) == 1


def test_a_prompt_is_read_once_for_all_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = made_task(tmp_path, "single", Sample(items=20))
    rate_all(file, raters=1)
    read, load = [], PromptTemplate.load
    monkeypatch.setattr(PromptTemplate, "load", lambda name: read.append(name) or load(name))
    assert len(list(fine_tuning(read_ratings(file), Rules(least=1)))) > 2
    assert sorted(read) == ["question", "zero_shot"]


def test_repeats_and_gold_do_not_count_for_the_arms(tmp_path: Path) -> None:
    file = made_task(tmp_path, "single", Sample(items=20, repeated=1.0))
    rate_all(file, raters=2)
    ratings = read_ratings(file)
    assert len(ratings.ratings) == 80
    assert all(rating.occasion == 1 for _, rating in ratings.judged)
