"""Runs the Dockerfile step by step where there is no Docker to build it, and starts what came of it.

    python deploy/rehearse.py --work .scratch/rehearsal --build-arg DEVICE=cuda [--share FOLDER ...] [--keep]

Each stage gets a root of its own: this machine's system folders, read-only, with this Python in /usr/local in place of
the base image, and otherwise empty, HOME and /tmp included. Every RUN is carried out there as it is written, COPY takes
what .dockerignore leaves, USER is obeyed. Then the image is started as an orchestrator would start it: its user and no
other rights, nothing writable but /data and /tmp. It must become healthy by the HEALTHCHECK, refuse who has no key,
describe an image, and end by itself on the stop signal. Needs root and Linux, for mount namespaces and chroot.

What it cannot show: that the base image has the system libraries that the packages need. Those which they take from
this machine's system are therefore compared with what Debian's slim image has, and masked where it lacks them.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from dockerfile import Ignored, Instruction, Stage, expanded, read
from started import try_out

ROOT = Path(__file__).parents[1]
TRIPLET = str(sysconfig.get_config_var("MULTIARCH"))
SYSTEM = ("usr", "bin", "sbin", "lib", "lib64")
ACCOUNTS = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
OF_THE_BUILDER = ("SSL_CERT_FILE", "PIP_CERT", "http_proxy", "https_proxy", "no_proxy")
"""Of the environment what a builder would be told of its network, for the steps that install."""
OF_THE_NETWORK = ("resolv.conf", "hosts", "nsswitch.conf", "ssl", "ca-certificates", "pip.conf", "localtime")
SLIM = (
    "libc.so libm.so libdl.so libpthread.so librt.so libutil.so libresolv.so ld-linux libgcc_s.so libstdc++.so "
    "libz.so libbz2.so liblzma.so libzstd.so libffi.so libssl.so libcrypto.so libsqlite3.so libuuid.so libreadline.so "
    "libncursesw.so libtinfo.so libgdbm libdb- libcrypt.so libnsl.so libtirpc.so libexpat.so libpython3"
).split()
"""How the names of those libraries begin that `python:3.11-slim-bookworm` has: Debian's slim base, and Python's own."""


class Root:
    """The file system of one stage."""

    def __init__(self, folder: Path, shared: list[Path], cache: Path) -> None:
        self.folder, self._shared, self._cache = folder, shared, cache
        for name in ("root", "tmp", "etc", "opt", "data", "proc", "dev", "var/tmp", *SYSTEM):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "tmp").chmod(0o1777)
        for layer in ("upper/bin", "work"):
            (folder.parent / f"{folder.name}-{layer}").mkdir(parents=True, exist_ok=True)
        # This Python's own `pip` begins with where it was installed, not with /usr/local.
        pip = folder.parent / f"{folder.name}-upper" / "bin" / "pip"
        pip.write_text('#!/bin/sh\nexec /usr/local/bin/python3 -m pip "$@"\n')
        pip.chmod(0o755)
        (folder / "etc" / "passwd").write_text(ACCOUNTS)
        (folder / "etc" / "group").write_text("root:x:0:\nnogroup:x:65534:\n")
        for name in OF_THE_NETWORK:
            source = Path("/etc") / name
            if source.is_dir():
                shutil.copytree(source, folder / "etc" / name, symlinks=False, dirs_exist_ok=True)
            elif source.exists():
                shutil.copyfile(source, folder / "etc" / name)
        # /usr/local's own libpython comes before that of the system, as in the base image.
        conf = "\n".join(["/usr/local/lib", f"/lib/{TRIPLET}", f"/usr/lib/{TRIPLET}"])
        (folder / "etc" / "ld.so.conf").write_text(conf + "\n")
        subprocess.run(self.unshared("/sbin/ldconfig"), check=True)

    def script(self, command: str, inside: str = "") -> str:
        """A script for `unshare --mount`: mounts all that belongs there, does `inside`, then chroot and command."""
        root, layers = shlex.quote(str(self.folder)), str(self.folder.parent / self.folder.name)
        lines = ["set -e", f"mount --bind {root} {root}", f"cd {root}"]
        lines += [f"mount --rbind /{name} {name} && mount -o remount,bind,ro {name}" for name in SYSTEM]
        overlay = f"lowerdir={sys.base_prefix},upperdir={layers}-upper,workdir={layers}-work"
        lines += [f"mount -t overlay overlay -o {shlex.quote(overlay)} usr/local"]
        for folder in (Path("/dev"), *self._shared):
            lines += [f"mkdir -p .{folder} && mount --rbind {folder} .{folder}"]
        lines += [f"mkdir -p root/.cache/uv && mount --bind {shlex.quote(str(self._cache))} root/.cache/uv"]
        lines += ["mount -t proc proc proc", inside, f"exec chroot . {command}"]
        return "\n".join(line for line in lines if line)

    def unshared(self, command: str, inside: str = "") -> list[str]:
        """The command line that runs a command in there, alone with its own processes; it ends with this one."""
        script = self.script(command, inside)
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script]


class Rehearsal:
    """Carries out the stages, one after the other."""

    def __init__(self, work: Path, given: dict[str, str], shared: list[Path], cache: Path) -> None:
        self._work, self._given, self._shared, self._cache = work, given, shared, cache
        self._global, self.stages = read(ROOT / "Dockerfile")
        self._roots: dict[str, Root] = {}
        cache.mkdir(parents=True, exist_ok=True)

    def build(self) -> tuple[Root, dict[str, str], dict[str, Instruction]]:
        """The last stage's root, its environment, and its instructions of how to run it by their kind."""
        for stage in self.stages:
            root = Root(self._work / (stage.name or "image"), self._shared, self._cache)
            self._roots[stage.name] = root
            environment, last = self._stage(stage, root)
        return root, environment, last

    def _stage(self, stage: Stage, root: Root) -> tuple[dict[str, str], dict[str, Instruction]]:
        print(f"== {stage.name or 'image'}: FROM {expanded(stage.base, self._global)} (here: this machine's system)")
        # `ENV` stays in the image; `ARG` holds for its stage alone.
        kept = {"PATH": "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"}
        arguments: dict[str, str] = {}
        folder, last = "/", {}
        for step in stage.steps:
            values = arguments | kept
            if step.kind != "ARG":
                print(f"-- Dockerfile:{step.line}: {step.kind} {step.words[:150]}", flush=True)
            if step.kind == "ARG":
                name, _, default = step.words.partition("=")
                if name in self._given or default:
                    arguments[name] = self._given.get(name, default.strip('"'))
            elif step.kind == "ENV":
                kept |= dict(pair.split("=", 1) for pair in shlex.split(expanded(step.words, values)))
            elif step.kind == "WORKDIR":
                folder = step.words
                (root.folder / folder.lstrip("/")).mkdir(parents=True, exist_ok=True)
            elif step.kind == "COPY":
                self._copy(step, root)
            elif step.kind == "RUN":
                self._run(step, root, values, folder)
            last[step.kind] = step
        return kept, last

    def _copy(self, step: Instruction, root: Root) -> None:
        *sources, target = step.words.split()
        place = root.folder / target.lstrip("/")
        if sources[0].startswith("--from="):
            source = self._roots[sources[0].removeprefix("--from=")].folder / sources[1].lstrip("/")
            subprocess.run(["cp", "--archive", "--link", source, place.parent], check=True)
            return
        for path in context():
            if sources == ["."] or str(path) in sources:
                (place / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / path, place / path)

    @staticmethod
    def _run(step: Instruction, root: Root, values: dict[str, str], folder: str) -> None:
        command = re.sub(r"^(--mount=\S+\s+)*", "", step.words)
        passed = {name: os.environ[name] for name in OF_THE_BUILDER if name in os.environ}
        inside = ["/usr/bin/env", "-i", "HOME=/root", *(f"{k}={v}" for k, v in (passed | values).items())]
        shell = shlex.join([*inside, "/bin/sh", "-c", f"cd {folder} && {command}"])
        done = subprocess.run(root.unshared(shell), check=False)
        if done.returncode:
            sys.exit(f"Dockerfile:{step.line}: exit {done.returncode}")


def context() -> Iterator[PurePosixPath]:
    """The files that a build is given: those of git that .dockerignore leaves."""
    ignored = Ignored(ROOT / ".dockerignore")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if not ignored(PurePosixPath(name)) and (ROOT / name).is_file():
            yield PurePosixPath(name)


def not_in_slim(root: Root) -> dict[str, set[str]]:
    """Files of this machine that the packages' libraries load and the slim image may lack -> the libraries.

    What the packages bring under that name is taken from there once torch is loaded, and is masked here all the same.
    """
    found: dict[str, set[str]] = {}
    environment = root.folder / "opt" / "venv"
    for library in (path for path in environment.rglob("*.so*") if not path.is_symlink()):
        done = subprocess.run(["ldd", library], capture_output=True, text=True, check=False)
        for line in done.stdout.splitlines():
            name, arrow, rest = line.strip().partition(" => ")
            if arrow and rest.startswith(("/lib", "/usr/lib")) and not name.startswith(tuple(SLIM)):
                found.setdefault(str(Path(rest.split()[0]).resolve()), set()).add(library.name)
    return found


def main() -> None:
    """Builds, says what the slim image may lack, tries it out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=ROOT / ".scratch" / "rehearsal")
    parser.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--share", action="append", default=[], type=Path, help="a folder that pip's settings name")
    parser.add_argument("--uv-cache", type=Path, help="in place of an empty one, as the builder's cache mount")
    parser.add_argument("--keep", action="store_true", help="leave the roots, and take the packages found there")
    args = parser.parse_args()
    if os.geteuid():
        sys.exit("rehearse.py: needs root, for mount namespaces and chroot")
    work = args.work.absolute()
    for left in work.glob("image*" if args.keep else "*"):
        shutil.rmtree(left)
    given = dict(pair.split("=", 1) for pair in args.build_arg)
    cache = args.uv_cache or work / "uv-cache"
    rehearsal = Rehearsal(work, given, [folder.absolute() for folder in args.share], cache)
    root, environment, last = rehearsal.build()
    lacking = not_in_slim(root)
    for file, libraries in lacking.items():
        print(f"== masked, since the slim image may lack it: {file}, of {', '.join(sorted(libraries))}")
    try_out(root, environment, last, tuple(lacking))
    if not args.keep:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
