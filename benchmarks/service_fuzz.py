"""Ten thousand uploads that no honest client sends, against a service of its own: does it stand, and stay clean?

    python benchmarks/service_fuzz.py [--uploads 10000] [--clients 6] [--seed 0] [--only N ...]

Files that are cut, altered, bombs, two kinds at once, of absurd size or something else altogether; DICOM, TIFF, NIfTI
and zips with altered insides; odd names and types; broken forms; fields with traps; connections that break off. Every
answer must be a success, a 4xx that says in RFC 9457 what is wrong, or an honest 503 with `Retry-After`; only who
leaves may go without. None may tell of a path of this machine, a traceback, or the patient's name that the DICOM files
hold.

Memory is taken of the whole tree of processes (PSS) after the first thousand: the last quarter may be 1.05 times the
second. At the end the service must describe an image as at the start, have as few open files as then and no file left
but its records, and end by itself with exit code 0. Texts are short (`generation.max_new_tokens`), so that time goes
into uploads. `--only 4711` sends single ones again and prints what came back. Writes benchmarks/service_fuzz.json.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from machine import save
from service_forms import TYPE, Part, form
from service_process import Server, Watch, files_under, is_flat, lumenscribe
from service_seeds import PATIENT, seeds
from service_sending import Answer, Sender
from service_uploads import Upload, upload

SETTINGS = (
    "limits.requests_a_minute=10000000",
    "limits.body_s=10",
    "settings.generation.max_new_tokens=6",
    "log=warning",
)
SETTLE_S = 20
OPENING = 1_000
"""Uploads in which each process opens what it needs when it is first asked for: decoders, the models of checks."""
TELLING = re.compile(rf"Traceback|/(root|home|tmp|usr|work|opt)/|site-packages|{PATIENT.replace('^', '.')}|PID-4711")
KEPT = re.compile(r"records\.sqlite(-wal|-shm)?$|^data/jobs/jobs\.lock$")


@dataclass
class Tally:
    """What came back, by kind."""

    statuses: dict[str, Counter[str]] = field(default_factory=dict)
    slowest: dict[str, tuple[float, int]] = field(default_factory=dict)
    wrong: list[dict[str, Any]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, sent: Upload, answer: Answer) -> None:
        """One more. What is not as it should be goes to `wrong`, with the number that makes it again."""
        why = fault(sent, answer)
        with self._lock:
            self.statuses.setdefault(sent.kind, Counter())[str(answer.status or "left")] += 1
            self.slowest[sent.kind] = max(
                self.slowest.get(sent.kind, (0.0, 0)), (round(answer.seconds, 2), sent.number)
            )
            if why:
                self.wrong.append({"number": sent.number, "kind": sent.kind, "path": sent.path, "why": why})
                print(f"upload {sent.number} ({sent.kind}, {sent.path}): {why}", file=sys.stderr, flush=True)


def fault(sent: Upload, answer: Answer) -> str:
    """What is wrong with an answer, in one line; empty where nothing is."""
    if answer.status is None:
        return "" if sent.cut is not None else f"no answer: {answer.error}"
    found = TELLING.search(answer.body.decode("utf-8", "replace"))
    if found:
        return f"{answer.status} tells {found[0]!r}: {answer.body[:300]!r}"
    if answer.status < 400:
        return "" if sent.kind != "zip" or answer.status in (200, 202) else f"status {answer.status}"
    if answer.status == 503 and answer.headers.get("retry-after"):
        return ""
    if answer.status >= 500:
        return f"{answer.status}: {answer.body[:300]!r}"
    return _unlike_problem(answer)


def _unlike_problem(answer: Answer) -> str:
    """What a 4xx lacks of RFC 9457. The server below the service refuses what is no HTTP in its own words."""
    if answer.status == 400 and answer.headers.get("content-type", "").startswith("text/plain"):
        return ""
    try:
        problem = json.loads(answer.body)
    except ValueError:
        return f"{answer.status} without JSON: {answer.body[:200]!r}"
    right = answer.headers.get("content-type") == "application/problem+json" and problem.get("status") == answer.status
    return "" if right and {"type", "title", "detail"} <= set(problem) else f"{answer.status}: {answer.body[:300]!r}"


def send_all(server: Server, numbers: range, seed: int, clients: int, tally: Tally) -> None:
    """Sends them, each client every so manieth; a job that was begun is taken back."""
    ended = threading.Event()

    def client(first: int) -> None:
        sender = Sender(server.port)
        for number in numbers[first::clients]:
            if ended.is_set():
                return
            sent = upload(number, seed)
            answer = sender.send(sent)
            tally.add(sent, answer)
            if answer.status == 202:
                sender.delete(answer.headers.get("location", ""))
            if server.process.poll() is not None:
                ended.set()

    threads = [threading.Thread(target=client, args=(first,)) for first in range(clients)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        time.sleep(15)
        done = sum(counts.total() for counts in tally.statuses.values())
        print(f"{done} sent, {len(tally.wrong)} wrong, {server.memory_mib():.0f} MiB", flush=True)
    if ended.is_set():
        raise SystemExit(f"the service ended with {server.process.returncode}:\n{server.said()}")


def described(port: int) -> dict[str, Any]:
    """What the service says of the demo image, without what differs from time to time."""
    body = form(Part("image", seeds()["seed.png"], "seed.png", "image/png"))
    sent = Upload(-1, "good", "/caption", TYPE, body)
    answer = Sender(port).send(sent)
    record: dict[str, Any] = json.loads(answer.body)
    if answer.status != 200:
        raise SystemExit(f"a good image was answered {answer.status}: {record}")
    return {key: value for key, value in record.items() if key not in ("id", "timings_s", "run")}


def search_by_words(port: int) -> None:
    """Has the service's own process open the model of texts, which few hostile uploads come to."""
    answer = Sender(port).send(Upload(-1, "good", "/search", TYPE, form(Part("text", b"white cells"))))
    if answer.status != 200:
        raise SystemExit(f"a good search was answered {answer.status}: {answer.body[:300]!r}")


def left_over(work: Path) -> list[str]:
    """Files under what the service writes that are none of its records."""
    return sorted(name for name in files_under(work / "data", work / "tmp") if not KEPT.search(name))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--uploads", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, nargs="*", help="these numbers alone; prints the answers, saves nothing")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="service-fuzz-") as folder:
        work = Path(folder)
        with lumenscribe(work, *SETTINGS) as server:
            if args.only:
                show(server.port, args.only, args.seed)
                return
            results = run(server, work, args)
        results["exit_code"] = server.end()
        results["log_lines_with_a_traceback"] = server.said(10**9).count("Traceback")
    sound = not results["wrong"] and results["exit_code"] == 0 and not results["files_left"]
    results["passed"] = sound and results["same_description_after"] and is_flat(results["memory"])
    print(json.dumps(results, indent=1))
    print(save("service_fuzz", results), file=sys.stderr)
    sys.exit(not results["passed"])


def run(server: Server, work: Path, args: argparse.Namespace) -> dict[str, Any]:
    """The uploads, and what is measured around them."""
    before, files = described(server.port), server.open_files()
    tally, began = Tally(), time.monotonic()
    opening = min(OPENING, args.uploads // 10)
    search_by_words(server.port)
    send_all(server, range(opening), args.seed, args.clients, tally)
    with Watch(server) as watch:
        send_all(server, range(opening, args.uploads), args.seed, args.clients, tally)
    took = time.monotonic() - began
    time.sleep(SETTLE_S)
    # Of clients that left once all was sent: such a job was begun, and nobody took it back.
    jobs = Sender(server.port).delete_jobs()
    return {
        "jobs_of_clients_that_left": jobs,
        "uploads": args.uploads,
        "clients": args.clients,
        "seed": args.seed,
        "seconds": round(took, 1),
        "statuses": {kind: dict(sorted(counts.items())) for kind, counts in sorted(tally.statuses.items())},
        "slowest_s_and_number": dict(sorted(tally.slowest.items())),
        "wrong": tally.wrong,
        "memory": watch.told(),
        "open_files": {"before": files, "after": server.open_files()},
        "files_left": left_over(work),
        "same_description_after": described(server.port) == before,
    }


def show(port: int, numbers: list[int], seed: int) -> None:
    """Sends single uploads and prints what came back."""
    for number in numbers:
        sent = upload(number, seed)
        answer = Sender(port).send(sent)
        print(f"{number}: {sent.kind}, {sent.path}, {len(sent.body)} bytes, cut {sent.cut}, length {sent.length}")
        print(f"  {sent.content_type[:80]!r} {sent.body[:200]!r}")
        print(f"  -> {answer.status} {answer.error} {answer.body[:800]!r}\n  {fault(sent, answer)}")


if __name__ == "__main__":
    main()
