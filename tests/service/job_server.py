"""The real service over HTTP whose jobs are run by a fake engine, so that no model is loaded; to be killed by tests.

python job_server.py DATA PORT
"""

from __future__ import annotations

import sys
from pathlib import Path

import uvicorn
from job_makers import COMMAND, LIMITS

from service.app import create_app
from service.config import load_config
from service.jobs import Jobs
from service.service import Service, open_service


def main(data: Path, port: int) -> None:
    settings = "settings={retrieval: {enabled: false}, check: {text_embedder: null}}"
    config = load_config(None, [settings, "page=false", "log=error", "desk.processes=0"], data=data, port=port)
    Service._load = _nothing  # type: ignore[method-assign]
    service = open_service(config)
    service.jobs = Jobs(data / "jobs", LIMITS, COMMAND)
    uvicorn.run(create_app(service), port=port, log_level="error")


def _nothing(_: Service) -> None:
    """No model is needed."""


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
