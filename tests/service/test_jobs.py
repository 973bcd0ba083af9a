"""Jobs: what is described, kept, gone on with, stopped and removed; by real processes with a fake engine."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from job_makers import (
    DELAY,
    LIMITS,
    archive,
    batch_of,
    create,
    made,
    png,
    until,
    until_described,
    untimed,
    upload,
    uploads,
)

from service.jobs import (
    JobsInUse,
    NoRoom,
    NoSuchJob,
    TooManyJobs,
    UploadRefused,
    UploadTooLarge,
    WrongJobState,
    shelf,
)
from service.jobs.shelf import UPLOADS, Shelf


def test_a_job_has_the_records_of_a_batch_under_the_names_that_were_given(tmp_path: Path) -> None:
    sent = {"b.png": png(2), "a.png": png(1), "case 7/a.png": png(3), "case 7/bad.png": b"no image", "c.dcm": b"x"}
    plain = [upload(name, data) for name, data in sent.items() if "/" not in name]
    packed = archive({name: data for name, data in sent.items() if "/" in name})
    jobs = made(tmp_path / "jobs")
    with jobs.running():
        id_ = create(jobs, plain, packed).job.id
        view = until(jobs, id_, "done", "failed")
        records = list(jobs.records(id_, ""))
        failed = list(jobs.failures(id_, ""))
    assert (view.standing.state, view.job.images, view.described, view.failed, view.left) == ("done", 5, 3, 2, 0)
    expected = batch_of(tmp_path / "batch", sent)
    assert untimed(records) == untimed(expected)
    assert [record["image"] for record in records] == ["a.png", "b.png", "case 7/a.png"]
    assert [(one["id"], one["image"], one["kind"]) for one in failed] == [
        ("c", "c.dcm", "image"), ("case 7/bad", "case 7/bad.png", "image"),
    ]  # fmt: skip
    assert str(tmp_path) not in str(records) + str(failed)


def test_what_is_accepted_is_on_the_disk_before_it_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: set[int] = set()
    real = os.fsync

    def fsync(handle: int) -> None:
        synced.add(os.fstat(handle).st_ino)
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    job = create(made(tmp_path / "jobs"), uploads(3), archive({"x/y.png": png(1)})).job
    folder = tmp_path / "jobs" / job.id
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert len(files) == 4 + 2
    assert {file.stat().st_ino for file in (*files, folder, folder / UPLOADS, tmp_path / "jobs")} <= synced
    assert [found for found, _ in Shelf(tmp_path / "jobs").all()] == [job]


def test_uploads_lie_under_names_of_our_own_for_one_user_alone_and_go_when_they_are_described(tmp_path: Path) -> None:
    names = ["../../etc/passwd.png", "DOE^JOHN.dcm", "/abs/x.tif", "a\nb\x1b[31m\ud800.nii.gz", ""]
    jobs = made(tmp_path / "jobs")
    id_ = create(jobs, [upload(name, png(n)) for n, name in enumerate(names)]).job.id
    folder = tmp_path / "jobs" / id_
    stored = sorted(file.name for file in (folder / UPLOADS).iterdir())
    assert all(len(name.split(".")[0]) == 32 for name in stored)
    assert sorted(name[32:] for name in stored) == ["", ".dcm", ".nii.gz", ".png", ".tif"]
    assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IMODE((tmp_path / "jobs").stat().st_mode) == 0o700
    kept = {image.name for image in shelf.read_images(folder)}
    assert kept == {"passwd.png", "DOE^JOHN.dcm", "x.tif", "a_b_[31m_.nii.gz", "image"}
    assert {path.name for path in tmp_path.rglob("*")}.isdisjoint({"passwd.png", "DOE^JOHN.dcm", "x.tif"})
    with jobs.running():
        until(jobs, id_, "done")
        while (folder / UPLOADS).exists():
            time.sleep(0.02)
        assert len(list(jobs.records(id_, ""))) == 5


def test_equal_names_have_ids_of_their_own(tmp_path: Path) -> None:
    jobs = made(tmp_path / "jobs")
    job = create(jobs, [upload("x.png", png(1)), upload("x.png", png(2)), upload("x.jpg", png(3))]).job
    assert [image.id for image in shelf.read_images(tmp_path / "jobs" / job.id)] == ["x.jpg", "x.png", "x.png (2)"]


def test_a_job_whose_process_is_killed_goes_on_and_one_that_always_dies_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DELAY, "0.05")
    jobs = made(tmp_path / "jobs")
    with jobs.running():
        good = create(jobs, uploads(20)).job.id
        deadly = create(jobs, [], archive({"a.png": png(1), "b-kills.png": png(2)})).job.id
        assert jobs.get(deadly, "").ahead == 1
        until_described(jobs, good, 2)
        os.killpg(_process_of(jobs), signal.SIGKILL)
        assert until(jobs, good, "done", "failed").standing.state == "done"
        assert [record["id"] for record in jobs.records(good, "")] == [f"i{n:02d}" for n in range(20)]
        failed = until(jobs, deadly, "failed", "done")
    assert failed.standing.state == "failed"
    assert failed.standing.reason == "its process died 3 times with nothing more described (signal 9)"


def test_cancelled_keeps_what_is_described_and_resumed_does_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DELAY, "0.05")
    jobs = made(tmp_path / "jobs")
    with jobs.running():
        id_ = create(jobs, uploads(40)).job.id
        until_described(jobs, id_, 2)
        with pytest.raises(WrongJobState, match="is running"):
            jobs.resume(id_, "")
        assert jobs.cancel(id_, "").standing.state == "cancelled"
        waiting = create(jobs, uploads(1)).job.id
        until(jobs, waiting, "done")  # so the one before has let go
        kept = len(list(jobs.records(id_, "")))
        assert 2 <= kept == jobs.get(id_, "").described < 40
        with pytest.raises(WrongJobState, match="over already: it is cancelled"):
            jobs.cancel(id_, "")
    jobs = made(tmp_path / "jobs")
    with jobs.running():
        time.sleep(0.2)
        assert jobs.get(id_, "").standing.state == "cancelled"
        jobs.resume(id_, "")
        until(jobs, id_, "done")
        assert [record["id"] for record in jobs.records(id_, "")] == [f"i{n:02d}" for n in range(40)]


def test_deleted_leaves_nothing_even_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DELAY, "0.05")
    jobs = made(tmp_path / "jobs")
    with jobs.running():
        id_ = create(jobs, uploads(40)).job.id
        until_described(jobs, id_, 2)
        process = _process_of(jobs)
        jobs.delete(id_, "")
        with pytest.raises(ProcessLookupError):
            os.killpg(process, 0)
        with pytest.raises(NoSuchJob):
            jobs.get(id_, "")
        assert jobs.all("") == []
    assert [path.name for path in (tmp_path / "jobs").iterdir()] in ([], ["jobs.lock"])


def test_a_job_is_its_owners_alone(tmp_path: Path) -> None:
    jobs = made(tmp_path / "jobs")
    id_ = create(jobs, uploads(1), owner="anna").job.id
    everybodys = create(jobs, uploads(1)).job.id
    for forbidden in (jobs.get, jobs.cancel, jobs.resume, jobs.delete, jobs.records, jobs.failures):
        with pytest.raises(NoSuchJob):
            forbidden(id_, "bert")
    assert [view.job.id for view in jobs.all("bert")] == [everybodys]
    assert [view.job.id for view in jobs.all("anna")] == [everybodys, id_]
    for id_ in ("../..", "..", "", "0" * 32, "/etc"):
        with pytest.raises(NoSuchJob):
            jobs.get(id_, "")


def test_what_ends_a_job_is_one_line_without_a_path(tmp_path: Path) -> None:
    jobs = made(tmp_path / "jobs")
    stopped = create(jobs, [], archive({"a.png": png(1), "b-dead.png": png(2)})).job.id
    id_ = create(jobs, uploads(1)).job.id
    file = tmp_path / "jobs" / id_ / "job.json"
    file.write_text(file.read_text().replace('"batch_size"', '"batch_sise"'))
    jobs = made(tmp_path / "jobs")
    with jobs.running():
        view = until(jobs, id_, "failed")
        reason = until(jobs, stopped, "failed").standing.reason
    assert reason == ("http://localhost:1 cannot be reached. Is it up? What was done is kept: resume the job to go on")
    assert view.standing.reason == f"settings of job {id_}: unknown key 'batch_sise'; did you mean 'batch_size'?"


def test_limits_are_told_in_one_line_and_leave_nothing(tmp_path: Path) -> None:
    root = tmp_path / "jobs"
    jobs = made(root, LIMITS.model_copy(update={"max_images": 2, "max_image_mib": 1, "max_total_mib": 2}))
    mib = b"\0" * (1 << 20)
    for images, error, line in (
        (uploads(3), UploadTooLarge, "3 images, over the limit of 2 a job"),
        ([upload("x.png", mib + b"0")], UploadTooLarge, "'x.png' is over the limit of 1 MiB a file"),
        ([], UploadRefused, "no image was uploaded"),
    ):
        with pytest.raises(error, match=line):
            create(jobs, images)
    with pytest.raises(UploadTooLarge, match="the uploads are over the limit of 2 MiB a job"):
        create(jobs, [upload("x.png", mib)], upload("x.zip", mib + b"0"))
    with pytest.raises(UploadTooLarge, match="3 images, over the limit of 2"):
        create(jobs, uploads(1), archive({"1.png": b"", "2.png": b""}))
    assert list(root.iterdir()) == []


def test_no_more_jobs_than_may_wait(tmp_path: Path) -> None:
    jobs = made(tmp_path / "jobs", LIMITS.model_copy(update={"max_open": 2}))
    first = create(jobs, uploads(1)).job.id
    create(jobs, uploads(1))
    with pytest.raises(TooManyJobs, match="2 jobs wait or run"):
        create(jobs, uploads(1))
    jobs.cancel(first, "")
    create(jobs, uploads(1))
    with pytest.raises(TooManyJobs):
        jobs.resume(first, "")


def test_no_more_jobs_than_may_be_there_whatever_became_of_them(tmp_path: Path) -> None:
    jobs = made(tmp_path / "jobs", LIMITS.model_copy(update={"max_kept": 2}))
    first, second = (create(jobs, uploads(1)).job.id for _ in range(2))
    jobs.cancel(first, "")
    with pytest.raises(NoRoom, match=r"2 jobs are kept, as many as may \(jobs.max_kept\). Delete old ones"):
        create(jobs, uploads(1))
    assert jobs.resume(first, "").standing.state == "queued"
    jobs.delete(second, "")
    create(jobs, uploads(1))


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "jobs"
    jobs = made(root, LIMITS.model_copy(update={"min_free_mib": 1 << 40}))
    with pytest.raises(NoRoom, match=r"^the disk has [\d,]+ MiB left, jobs leave it [\d,]+\. Delete old jobs$"):
        create(jobs, uploads(1))
    assert list(root.iterdir()) == []
    jobs = made(root)
    kept = create(jobs, uploads(1)).job.id

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/somewhere")

    monkeypatch.setattr(shelf, "put", full)
    with pytest.raises(NoRoom, match=r"^the job cannot be stored: No space left on device$"):
        create(jobs, uploads(1))
    with pytest.raises(NoRoom, match=r"cannot be written down: No space left on device. Nothing was changed$"):
        jobs.cancel(kept, "")
    assert jobs.get(kept, "").standing.state == "queued"
    assert [path.name for path in root.iterdir()] == [kept]


def test_what_a_killed_service_left_half_made_goes_and_two_services_are_refused(tmp_path: Path) -> None:
    root = tmp_path / "jobs"
    jobs = made(root)
    (root / ".x.new").mkdir()
    (root / ".y.gone" / "out").mkdir(parents=True)
    (root / ("0" * 32)).mkdir()
    with jobs.running():
        assert sorted(path.name for path in root.iterdir()) == ["0" * 32, "jobs.lock"]
        assert jobs.all("") == []
        with pytest.raises(JobsInUse, match="another service works in it"), made(root).running():
            pass


def test_old_jobs_are_deleted(tmp_path: Path) -> None:
    jobs = made(tmp_path / "jobs")
    old, young = (create(jobs, uploads(1)).job.id for _ in range(2))
    for id_, ended in ((old, "2020-01-01T00:00:00+00:00"), (young, "2999-01-01T00:00:00+00:00")):
        standing = replace(jobs.get(id_, "").standing, state="done", ended=ended)
        Shelf(tmp_path / "jobs").save(id_, standing)
    jobs = made(tmp_path / "jobs")
    with jobs.running():
        while len(jobs.all("")) == 2:
            time.sleep(0.02)
        assert [view.job.id for view in jobs.all("")] == [young]
    assert not (tmp_path / "jobs" / old).exists()


def test_the_real_process_of_a_job_begins_from_any_folder(tmp_path: Path) -> None:
    """Without the fake: its program is found, its limits are read, and a job that is none ends it with one line."""
    from service.jobs.process import COMMAND, JobProcess

    (tmp_path / "service.py").write_text("raise SystemExit('shadowed')")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert JobProcess(COMMAND, tmp_path, LIMITS).wait().how == "exit code 1"
    assert "job.json" in (tmp_path / "log.txt").read_text().splitlines()[-1]
    assert subprocess.run([sys.executable, "-c", "import service.jobs.run"], check=False).returncode == 0


def _process_of(jobs: Any) -> int:
    return int(jobs._at_work[1]._process.pid)
