"""Starts what a rehearsal built, as a container would be started, and tries it out.

The process is the first of its own namespace, with no network but its own loopback, as the image's user without any
other right, in a file system that may be written in /data and /tmp alone. Called as a program it is the client: it
is run in that network, `python deploy/started.py PORT KEY IMAGE`.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dockerfile import Instruction
    from rehearse import Root

PORT = 8000
WAIT_S = 600
NO_OTHER_RIGHT = "--clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all"
SEALED = """\
mount --bind data data
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -o remount,bind,ro usr/local
mount -o remount,bind,ro .
ip link set lo up"""


def try_out(root: Root, environment: dict[str, str], last: dict[str, Instruction], masked: tuple[str, ...]) -> None:
    """Starts the image with a key, and without the system's files in `masked`.

    Ends with a message where it does not do what it should.
    """
    secret = secrets.token_urlsafe()
    user, group = last["USER"].words.split(":")
    words = [*last["ENTRYPOINT"].form, *last["CMD"].form]
    given = environment | {"LUMENSCRIBE_KEYS": f"rehearsal:{hashlib.sha256(secret.encode()).hexdigest()}"}
    alone = ["/usr/bin/setpriv", f"--reuid={user}", f"--regid={group}", *NO_OTHER_RIGHT.split()]
    env = ["/usr/bin/env", "-i", "-C", last["WORKDIR"].words, *(f"{name}={value}" for name, value in given.items())]
    masks = [f"mount --bind /dev/null .{shlex.quote(file)}" for file in masked]
    command = root.unshared(shlex.join([*alone, *env, *words]), "\n".join([*masks, SEALED]))
    command.insert(1, "--net")
    print("== started:", shlex.join(words), flush=True)
    with subprocess.Popen(command) as outer:
        try:
            inner = _first_process(outer.pid)
            health = last["HEALTHCHECK"].words.partition("CMD ")[2]
            print(f"healthy after {_healthy(inner, [*env, *json.loads(health)], outer):.0f} s", flush=True)
            here = ["nsenter", f"--target={inner}", "--net", sys.executable, __file__, str(PORT), secret]
            with_image = [*here, str(root.folder.parent / "tried.png")]
            _write_image(Path(with_image[-1]))
            if subprocess.run(with_image, check=False).returncode:
                sys.exit("it did not answer as it should")
            print("written outside /data:", _written_elsewhere(root, int(user)) or "nothing")
            signal_at = time.monotonic()
            subprocess.run(["kill", "-TERM", str(inner)], check=True)
            code = outer.wait(120)
            print(f"ended {time.monotonic() - signal_at:.1f} s after the stop signal, exit {code}")
            if code:
                sys.exit("the image did not end by itself")
        finally:
            outer.kill()


def _first_process(outer: int) -> int:
    """The process that is the first in the namespaces which `unshare` made."""
    children = Path(f"/proc/{outer}/task/{outer}/children")
    while not (found := children.read_text().split()):
        time.sleep(0.05)
    return int(found[0])


def _healthy(inner: int, check: list[str], outer: subprocess.Popen[bytes]) -> float:
    """Seconds until the HEALTHCHECK succeeds."""
    began = time.monotonic()
    where = ["nsenter", f"--target={inner}", "--mount", "--net", "--pid", "--root", "--wd"]
    while time.monotonic() - began < WAIT_S:
        if outer.poll() is not None:
            sys.exit(f"it ended with {outer.returncode} before it was healthy")
        if subprocess.run([*where, *check], capture_output=True, check=False).returncode == 0:
            return time.monotonic() - began
        time.sleep(2)
    sys.exit(f"it was not healthy within {WAIT_S} s")


def _write_image(file: Path) -> None:
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from pocket.starter import write_demo

    write_demo(file.parent)
    (file.parent / "smear.png").rename(file)


def _written_elsewhere(root: Root, user: int) -> list[str]:
    """Files of the image's user that lie anywhere but in /data."""
    owned = (path for path in root.folder.rglob("*") if not path.is_symlink() and path.lstat().st_uid == user)
    return [str(path) for path in owned if "data" not in path.relative_to(root.folder).parts[:1]]


def post(url: str, image: bytes, key: str | None) -> tuple[int, dict[str, object]]:
    """Sends an image to be described. Returns the status and the JSON that came back."""
    edge = uuid.uuid4().hex
    head = f'--{edge}\r\nContent-Disposition: form-data; name="image"; filename="smear.png"\r\n'
    body = head.encode() + b"Content-Type: image/png\r\n\r\n" + image + f"\r\n--{edge}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={edge}"}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    asked = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(asked, timeout=300) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def _ready(base: str) -> str:
    """What `/ready` says once it is; waits for that."""
    until = time.monotonic() + WAIT_S
    while True:
        try:
            with urllib.request.urlopen(f"{base}/ready", timeout=30) as answer:  # noqa: S310
                return str(answer.read().decode())
        except urllib.error.HTTPError:
            if time.monotonic() > until:
                raise
            time.sleep(2)


def _client(port: str, key: str, image: str) -> None:
    base = f"http://127.0.0.1:{port}"
    print("GET /ready:", _ready(base))
    for given, wanted in ((None, 401), ("wrong", 401), (key, 200)):
        status, said = post(f"{base}/caption", Path(image).read_bytes(), given)
        print(f"POST /caption, {'no key' if given is None else 'its key' if given == key else 'a wrong key'}: {status}")
        if status != wanted:
            sys.exit(f"wanted {wanted}: {said}")
    print(said["caption"])


if __name__ == "__main__":
    _client(*sys.argv[1:])
