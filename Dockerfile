# The service in a container, with the packages of requirements.lock.
#
#   docker build -t lumenscribe .                                   # for CPUs: torch without CUDA
#   docker build -t lumenscribe:cuda --build-arg DEVICE=cuda .      # for NVIDIA GPUs; runs on CPUs too, and is larger
#
# Where packages come from a mirror: --build-arg PIP_INDEX_URL=... --build-arg UV_DEFAULT_INDEX=... It is needed by the
# first stage alone, of which only the environment and the program go on, so that no address stays in the image.
# How to start it, and what to keep: docs/service.md, docs/operations.md, compose.yaml.
ARG PYTHON=3.11

FROM python:${PYTHON}-slim-bookworm AS packages
ARG DEVICE=cpu
ARG EXTRAS="serve dicom parquet server"
ARG UV_VERSION=0.13.9
ARG PIP_INDEX_URL
ARG UV_DEFAULT_INDEX
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON=/opt/venv/bin/python
RUN pip install --no-cache-dir uv==${UV_VERSION} && python -m venv --without-pip /opt/venv
COPY pyproject.toml requirements.lock /app/
WORKDIR /app
# The lock pins what the extras need. Of torch, the same version is taken for the device: the CPU's build lies in
# torch's own index, which uv knows; the package index has that for CUDA.
RUN --mount=type=cache,target=/root/.cache/uv \
    case "$DEVICE" in \
      cpu) backend=--torch-backend=cpu ;; \
      cuda) backend= ;; \
      *) echo "DEVICE is cpu or cuda, not $DEVICE" >&2; exit 1 ;; \
    esac; \
    extras=; for extra in $EXTRAS; do extras="$extras --extra $extra"; done; \
    uv pip install $backend --requirement pyproject.toml $extras --constraint requirements.lock
COPY . /app
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --no-deps --editable . && python -m compileall -q /app

FROM python:${PYTHON}-slim-bookworm
RUN groupadd --gid 10001 lumenscribe \
    && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin lumenscribe \
    && install --directory --owner=lumenscribe --group=lumenscribe --mode=700 /data
COPY --from=packages /opt/venv /opt/venv
COPY --from=packages /app /app
# All that it writes is under /data, and what lives no longer than a request under /tmp: the rest may be read-only.
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/data \
    HF_HOME=/data/hub \
    LUMENSCRIBE_CACHE=/data/cache \
    PYTHONUNBUFFERED=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
WORKDIR /app
USER 10001:10001
VOLUME /data
EXPOSE 8000
# Generous at the start, which loads the models and, the first time, builds the starter index.
HEALTHCHECK --interval=30s --timeout=10s --start-period=300s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health', timeout=8)"]
ENTRYPOINT ["lumenscribe"]
CMD ["serve", "--host", "0.0.0.0", "--data", "/data/service"]
