"""The service under load on the loopback: pocket, as shipped, beside `transformers serve` with model and images alike.

    python benchmarks/service.py [--seconds 300] [--clients 32] [--alone-seconds 60] [--images 48] [--no-peer]

First the command line describes each image by itself (`caption --json --set batch_size=1`). Then the service is started
as a user starts it and asked by one client, by many, and by one again, each sending its next image as soon as it has
the answer to the last. Every answer is compared with the command line's record: all but the id, the timings, how many
were described together and by how many threads must be the same, numbers to 1e-3. A 503 with `Retry-After` is counted,
waited out and no answer; everything else that is no record is an error. Memory is that of all its processes (PSS), each
two seconds.

`transformers serve` is asked for the same images over the OpenAI chat API, with the instruction alone and as many new
tokens at most: it has no evidence, no checks and no record. To compare like with like the service is asked without
evidence, too. The peer runs in float32 and once more in bfloat16, since its `--dtype` is of the whole model; each
without and with its continuous batching, where it has that for such a model.

Wants: many clients have at least 2.5 times what one has, no error, no answer that differs, memory flat (the last
quarter 1.05 times the second at most). Writes benchmarks/service.json; the machine should have nothing else to do.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from machine import ROOT, save
from PIL import Image
from service_load import Caption, Chat, Client, Load, load
from service_process import Server, Watch, free_port, is_flat, lumenscribe
from service_same import Same

from pocket.render import render
from vlm import load_model_config

KINDS = ("smear", "fluorescence", "tissue", "radiograph")
FIRST_SEED = 400_000
"""Of images that pocket was neither trained on nor has in its starter index."""
WANTED_RATIO = 2.5
WARM_S = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300, help="with all clients (default: 300)")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--alone-seconds", type=float, default=60, help="one client, before and after (default: 60)")
    parser.add_argument("--peer-seconds", type=float, default=60, help="each measurement of the peer (default: 60)")
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--no-peer", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="service-load-") as folder:
        work = Path(folder)
        images = drawn(work / "images", args.images)
        results = {"load_average_before": os.getloadavg(), **ours(work, images, args)}
        if not args.no_peer:
            results["transformers_serve"] = {
                dtype: peer(work, images, args, dtype, results["mean_new_tokens"]) for dtype in ("float32", "bfloat16")
            }
    print(json.dumps(results, indent=1))
    print(save("service", results), file=sys.stderr)
    sys.exit(not results["passed"])


def drawn(folder: Path, count: int) -> dict[str, bytes]:
    """Name -> PNG, in `folder` too."""
    folder.mkdir()
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        Image.fromarray(render(kind, FIRST_SEED + number).pixels).save(folder / f"{kind}-{number}.png")
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def ours(work: Path, images: dict[str, bytes], args: argparse.Namespace) -> dict[str, Any]:
    """The service measured, and compared with the command line."""
    said = recorded(work / "images", images)
    same = Same(said)
    with lumenscribe(work, "limits.requests_a_minute=1000000") as server:
        asked = Caption(images, same.check)
        load(server.port, asked, 4, WARM_S)
        before = load(server.port, asked, 1, args.alone_seconds)
        with Watch(server) as watch:
            many = load(server.port, asked, args.clients, args.seconds)
        after = load(server.port, asked, 1, args.alone_seconds)
        bare = Caption(images, lambda *_: None, {"retrieval": "false"})
        load(server.port, bare, args.clients, WARM_S)
        bare_alone = load(server.port, bare, 1, args.peer_seconds)
        bare_many = load(server.port, bare, args.clients, args.peer_seconds)
        ready_s, exit_code = server.ready_s, server.end()
    ratio = many.per_s / statistics.mean([before.per_s, after.per_s])
    errors = [*before.errors, *many.errors, *after.errors]
    memory = watch.told()
    sound = not errors and not same.different and exit_code == 0
    return {
        "ready_s": round(ready_s, 1),
        "one_client_before": before.told(),
        "many_clients": {"clients": args.clients, **many.told()},
        "one_client_after": after.told(),
        "ratio": round(ratio, 2),
        "ratio_wanted": WANTED_RATIO,
        "memory": memory,
        "answers_compared": same.told(),
        "without_evidence": {"one_client": bare_alone.told(), "many_clients": bare_many.told()},
        "mean_new_tokens": round(statistics.mean(record["tokens"]["new"] for record in said.values()), 1),
        "exit_code": exit_code,
        "passed": sound and ratio >= WANTED_RATIO and is_flat(memory),
    }


def recorded(folder: Path, images: dict[str, bytes]) -> dict[str, dict[str, Any]]:
    """Name -> what the command line says of the image, each described by itself."""
    command = [sys.executable, str(ROOT / "cli.py"), "caption", "--json", "--set", "batch_size=1"]
    for name in images:
        command += ["--image", name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"the command line ended with {done.returncode}: {done.stderr}")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    return {record["image"]: record for record in records}


def peer(
    work: Path, images: dict[str, bytes], args: argparse.Namespace, dtype: str, new_tokens: float
) -> dict[str, Any]:
    """`transformers serve`, started as a test of ours starts it; without and with continuous batching, where it can."""
    folder = str(load_model_config("pocket").path)
    program = str(Path(sys.executable).with_name("transformers"))
    asked = Chat(images, folder, round(new_tokens))
    told: dict[str, Any] = {}
    for batching in ("--no-continuous-batching", "--continuous-batching"):
        port = free_port()
        command = [program, "serve", folder, "--port", str(port), "--device", "cpu", "--dtype", dtype, batching]
        command += ["--host", "127.0.0.1"]
        try:
            with Server(command, port, "/health", work / f"peer{port}.log", {"HF_HUB_OFFLINE": "1"}) as server:
                told[batching] = measured(server, asked, args)
        except RuntimeError as error:
            told[batching] = {"not_measured": str(error).splitlines()[-1]}
    return told


def measured(server: Server, asked: Client, args: argparse.Namespace) -> dict[str, Any]:
    """One client, then many."""
    load(server.port, asked, 1, WARM_S)
    run: Callable[[int], Load] = lambda clients: load(server.port, asked, clients, args.peer_seconds)  # noqa: E731
    return {"one_client": run(1).told(), "many_clients": run(args.clients).told(), "mib": round(server.memory_mib(), 1)}


if __name__ == "__main__":
    main()
