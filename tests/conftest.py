"""What every room's tests share."""

import gc
import os
from pathlib import Path

import pytest

# Read by torch and faiss when they are imported, here and in the processes that tests start. The models are tiny: a
# second thread has nothing to do but wait for the first, and where the machine is busy that costs three times the work.
os.environ.setdefault("OMP_NUM_THREADS", "1")

DATA = Path(__file__).parents[1].parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data beside the checkout; the test skips where it is absent."""
    if not DATA.is_dir():
        pytest.skip("../shared/data is not here")
    return DATA


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """No test sees or changes the user's own cache."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LUMENSCRIBE_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the demo's images."""
    from pocket.starter import write_demo

    folder = tmp_path_factory.mktemp("demo")
    write_demo(folder)
    return folder


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """None: as many processes as pyproject.toml says. 0 for files or single tests: all would import what they need."""
    return 0 if all(Path(argument.split("::")[0]).is_file() for argument in config.args) else None


def pytest_collection_finish() -> None:
    """Full garbage collections pass over what was imported: a hundred times the objects that a test makes."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Python's end collects it again: nanobind's modules call leaked what is left."""
    gc.unfreeze()
