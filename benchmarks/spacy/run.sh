#!/usr/bin/env bash
# Runs entities.py in an environment of its own, which it makes first.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
uv=$here/../../.venv/bin/uv
environment=${XDG_CACHE_HOME:-$HOME/.cache}/switchyard/spacy-2.2.4
if [[ ! -e $environment/installed ]]; then
  "$uv" venv -q --clear --python 3.8 "$environment"
  "$uv" pip install -q --python "$environment/bin/python" -r "$here/requirements.txt"
  touch "$environment/installed"
fi
exec "$environment/bin/python" "$here/entities.py"
