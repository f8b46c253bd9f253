#!/usr/bin/env bash
# Resolves dependencies anew into one lock file per deployable, with hashes and without index URLs.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=.venv/bin/uv

compile() {
  "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
    --no-emit-index-url --no-emit-find-links --no-emit-package switchyard-shared --no-emit-package rag-service \
    --no-emit-package notes-service --no-emit-package doc-processor "$@"
}

compile --extra server services/rag-service/pyproject.toml -o services/rag-service/requirements.lock
for service in notes-service doc-processor; do
  compile "services/$service/pyproject.toml" -o "services/$service/requirements.lock"
done
compile tools/pyproject.toml -o tools/requirements.lock
compile tools/pyproject.toml tests/requirements.in -c tools/requirements.lock -o tests/requirements.lock
compile tools/model/requirements.in -o tools/model/requirements.lock
compile --no-deps tools/model/weights.in -o tools/model/weights.lock
compile scripts/build.in -o scripts/build.lock
