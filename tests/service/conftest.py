"""A service of the embedded model over the starter index, opened once, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.config import ServiceConfig, load_config
from service.service import Service, open_service


def config_in(folder: Path, *assignments: str) -> ServiceConfig:
    """A configuration that a test client can ask, with its data in `folder`."""
    return load_config(None, ["hosts=[testserver]", "desk.processes=0", "page=false", *assignments], data=folder)


@pytest.fixture(scope="session")
def smear(demo: Path) -> bytes:
    """A drawn blood smear, as a PNG file."""
    return (demo / "smear.png").read_bytes()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return open_service(config_in(tmp_path_factory.mktemp("service")))


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with TestClient(create_app(service)) as client:
        yield client
