"""The house rules that can be held by a test: imports run down only, and `--help` is instant."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import installed

ROOT = Path(__file__).parents[1]
FLOORS = [
    ["imaging"],
    ["vlm", "indexer"],
    ["rag"],
    ["batch"],
    ["evaluation"],
    ["finetune"],
    ["service"],
    ["commands"],
    ["cli"],
]
ROOMS = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
GROUND = {"configs", "pocket"}
AT_RUN_TIME = ("__init__.py", "starter.py", "facts.py", "render*.py")
"""Files of `pocket` that run on a user's machine; only the others, the recipe, may import the rooms."""


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").split(".")[0])
    return found & (set(ROOMS) | GROUND)


def files_of(room: str) -> list[Path]:
    return [ROOT / "cli.py"] if room == "cli" else sorted((ROOT / room).rglob("*.py"))


@pytest.mark.parametrize("room", ROOMS)
def test_imports_run_down_the_tower(room: str) -> None:
    below = {r for r, floor in ROOMS.items() if floor < ROOMS[room]} | GROUND | {room}
    assert files_of(room), f"{room} is missing"
    for path in files_of(room):
        assert imports_of(path) <= below, f"{path.relative_to(ROOT)} imports upwards"


def test_the_ground_imports_no_room() -> None:
    for path in files_of("configs"):
        assert imports_of(path) <= {"configs"}, f"{path.relative_to(ROOT)} imports a room"
    for path in (path for pattern in AT_RUN_TIME for path in (ROOT / "pocket").glob(pattern)):
        assert imports_of(path) <= {"pocket", "imaging"}, f"{path.relative_to(ROOT)} imports a room above imaging"


@pytest.mark.parametrize(
    "command",
    [
        [], ["caption"], ["ask"], ["extract"], ["replay"], ["index"], ["data"], ["index", "build"], ["doctor"],
        ["models"], ["models", "list"], ["models", "pull"], ["models", "bench"], ["models", "recommend"],
        ["evaluate"], ["evaluate", "retrieval"], ["evaluate", "calibrate"], ["evaluate", "run"], ["evaluate", "score"],
        ["evaluate", "compare"], ["report"], ["export"], ["batch"], ["batch", "diff"],
        ["rate"], ["ratings"], ["ratings", "make"], ["ratings", "export"], ["ratings", "import"], ["ratings", "show"],
        ["ratings", "to-dataset"],
        ["experiment"], ["experiment", "run"], ["experiment", "search"], ["prompts", "diff"],
        ["finetune"], ["finetune", "prepare"], ["finetune", "run"],
    ],
)  # fmt: skip
def test_help_loads_nothing_heavy(command: list[str]) -> None:
    script = (
        "import sys; sys.argv = ['cli.py', *sys.argv[1:], '--help']\n"
        "import cli\n"
        "try: cli.main()\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'torch', 'numpy', 'transformers', 'faiss', 'open_clip', 'langchain_core', 'pydantic'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Usage:" in done.stdout


def test_doctor_speaks_where_nothing_is_installed() -> None:
    """Without site-packages, as on a machine that has Python and nothing else."""
    done = subprocess.run([sys.executable, "-S", "cli.py", "doctor"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    for requirement in needed:
        name = requirement.split(">")[0]
        assert f"broken   {name} " in done.stderr
    assert f"{len(needed)} of {len(needed)} packages are missing" in done.stderr
    assert "make install" in done.stderr


def test_packages_are_grouped_by_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = installed.metadata.version

    def version(name: str) -> str:
        if name in ("openai", "torch"):
            raise installed.metadata.PackageNotFoundError(name)
        return real(name)

    assert installed.bare_report() == []
    monkeypatch.setattr(installed.metadata, "version", version)
    by_extra = {group.extra: group for group in installed.groups()}
    assert by_extra["server"].missing == ("openai",)
    assert by_extra["server"].mend.startswith("pip install 'lumenscribe[server]'")
    assert by_extra["parquet"].missing == ()
    assert by_extra[""].missing == ("torch",)
    assert "torch  is not installed" in installed.bare_report()[0]
