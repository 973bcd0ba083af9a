"""Costs, from records and from what a run noted."""

import json
from pathlib import Path

import numpy as np
import pytest

from evaluation.errors import RunError
from evaluation.metrics import costs
from evaluation.spending import spending
from vlm.cost.energy import joules


def record(total: float, new: int | None, generate: float) -> dict[str, object]:
    return {"timings_s": {"total": total, "generate": generate}, "tokens": {"new": new}}


def test_costs_of_records_are_theirs_and_what_is_not_said_is_blank() -> None:
    found = costs.by_record([record(2.0, 30, 1.5), record(1.0, None, 0.5), None])
    assert found["latency_s"].tolist()[:2] == [2.0, 1.0]
    assert found["tokens_per_s"][0] == pytest.approx(20)
    assert np.isnan(found["tokens_per_s"][1:]).all()
    assert np.isnan(found["latency_s"][2])


def test_percentiles_have_intervals_that_hold_them() -> None:
    seconds = np.arange(1, 201, dtype=np.float64)
    found = costs.whole(costs.by_record([record(float(s), 1, 1.0) for s in seconds]), [str(n) for n in range(200)], {})
    for percent in (50, 95, 99):
        figure = found[f"latency p{percent} (s)"]
        assert figure.value == pytest.approx(np.percentile(seconds, percent))
        assert figure.low is not None
        assert figure.high is not None
        assert figure.low <= figure.value <= figure.high
    middle = found["latency p50 (s)"]
    assert middle.high is not None
    assert middle.low is not None
    assert middle.high - middle.low > 10


def test_what_was_spent_is_noted_each_time_and_summed(tmp_path: Path) -> None:
    for images in (3, 1):
        with spending(tmp_path / "costs.jsonl") as spent:
            spent.images = images
            sum(range(10_000))
    rows = [json.loads(line) for line in (tmp_path / "costs.jsonl").read_text().splitlines()]
    assert [row["images"] for row in rows] == [3, 1]
    assert all(row["peak_mib"] > 0 for row in rows)
    assert all(row["seconds"] > 0 for row in rows)  # however little was done
    found = costs.noted(tmp_path)
    assert found["peak memory (MiB)"] == max(row["peak_mib"] for row in rows)
    assert costs.noted(tmp_path / "elsewhere") == {}


def test_energy_of_several_times_is_given_for_an_image_where_all_of_them_tell(tmp_path: Path) -> None:
    rows = [{"images": 3, "seconds": 1, "peak_mib": 5, "joules": {"gpu": 60.0, "cpu": 9.0}},
            {"images": 1, "seconds": 1, "peak_mib": 7, "joules": {"gpu": 20.0}}]  # fmt: skip
    (tmp_path / "costs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = costs.noted(tmp_path)
    assert found["gpu energy (J/image)"] == 20
    assert "cpu energy (J/image)" not in found
    assert found["images/s"] == 2


def test_what_was_done_before_an_interruption_is_noted_and_nothing_where_nothing_was(tmp_path: Path) -> None:
    def interrupted(images: int) -> None:
        with spending(tmp_path / "costs.jsonl") as spent:
            spent.images = images
            raise KeyboardInterrupt

    for images in (2, 0):
        with pytest.raises(KeyboardInterrupt):
            interrupted(images)
    (row,) = [json.loads(line) for line in (tmp_path / "costs.jsonl").read_text().splitlines()]
    assert row["images"] == 2


def test_half_a_line_of_costs_is_passed_over_and_taken_off_before_the_next(tmp_path: Path) -> None:
    file = tmp_path / "costs.jsonl"
    file.write_text('{"images": 3, "seconds": 1, "peak_mib": 5}\n{"images": 1, "sec')
    assert costs.noted(tmp_path) == {"images/s": 3, "peak memory (MiB)": 5}
    with spending(file) as spent:
        spent.images = 1
    assert [json.loads(line)["images"] for line in file.read_text().splitlines()] == [3, 1]
    file.write_text("no JSON\n")
    with pytest.raises(RunError, match=r"costs\.jsonl cannot be read"):
        costs.noted(tmp_path)


def test_energy_counters_only_grow() -> None:
    before, after = joules(), joules()
    assert set(before) <= {"cpu", "gpu"}
    assert all(after[name] >= value for name, value in before.items())
