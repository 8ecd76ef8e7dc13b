# The operator's image: the interpreter, its pinned libraries and the program. No shell, no package manager, no compiler, no pip.
# `make image` builds it with docker, podman or buildah. By hand:
#
#     docker build --build-arg VERSION=... --tag proxmox-offerings .
#
# BASE is an image with Python 3.11 or later and venv. A digest makes it immovable: --build-arg BASE=python:3.13-slim@sha256:...
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /build
COPY requirements/run.txt requirements/build.txt requirements/
# Two environments: one that builds, with pip, and the one that ends up in the image, without.
RUN python3 -m venv tools \
 && tools/bin/python -m pip install --no-cache-dir --require-hashes --requirement requirements/build.txt \
 && python3 -m venv --without-pip /opt/proxmox-offerings \
 && tools/bin/python -m pip --python /opt/proxmox-offerings/bin/python install \
        --no-cache-dir --no-compile --only-binary=:all: --require-hashes --requirement requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
RUN tools/bin/python -m pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir wheels . \
 && tools/bin/python -m pip --python /opt/proxmox-offerings/bin/python install --no-cache-dir --no-compile --no-deps --no-index wheels/*.whl
COPY tools/rootfs.py ./
RUN /opt/proxmox-offerings/bin/python -I rootfs.py /rootfs

FROM scratch
COPY --from=build /rootfs /
ARG BASE
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="proxmox-offerings" \
      org.opencontainers.image.description="A Kubernetes operator that turns Proxmox VE capacity into truthful Offering resources" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE}"
# Bytecode is in the image, and its root is meant to be read-only. /tmp is for `simulate`, which needs a directory to write to.
ENV PATH=/opt/proxmox-offerings/bin LANG=C.UTF-8 HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1
WORKDIR /tmp
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["proxmox-offerings"]
