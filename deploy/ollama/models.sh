#!/bin/bash
# Fetches and checks Ollama's models. The image has neither curl nor Python, so this speaks HTTP itself.
#   models.sh pull     fetch the models, with a server of its own
#   models.sh loaded   check whether the models of LOADED_ROLES are in memory, and load them if not (health check)
# The models are OLLAMA_MODEL, OLLAMA_EMBED_MODEL and, unless USE_VISION_ANALYSIS is false, OLLAMA_VISION_MODEL.
set -euo pipefail

port=${OLLAMA_PORT:-11434}
while IFS='=' read -r name default; do
  if [[ -z ${!name:-} ]]; then printf -v "$name" %s "$default"; fi
done <"$(dirname "$0")/defaults.env"
vision=$OLLAMA_VISION_MODEL
if [[ $USE_VISION_ANALYSIS == false ]]; then vision=; fi

say() { printf '%s\n' "$*"; }
complain() { printf 'ollama-models: %s\n' "$*" >&2; }

# Sends $1 /path with the JSON $3 and prints the body. Fails unless the answer is 200; the body then says why.
# HTTP/1.0, so that the body is not chunked.
call() {
  local method=$1 path=$2 body=${3:-} status line
  exec 3<>"/dev/tcp/127.0.0.1/$port" || return 1
  printf '%s %s HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s' \
    "$method" "$path" "${#body}" "$body" >&3
  read -r _ status _ <&3 || return 1
  while read -r line <&3 && [[ $line != $'\r' ]]; do :; done
  cat <&3
  exec 3>&-
  [[ $status == 200 ]]
}

# The number or text of the key $1 in the JSON line $2.
field() { sed -nE "s/.*\"$1\": ?\"?([^\",}]*).*/\1/p" <<<"$2"; }

require_name() {
  if [[ ! $1 =~ ^[A-Za-z0-9._:/-]+$ ]]; then
    complain "'$1' is no name of a model; OLLAMA_MODEL, OLLAMA_EMBED_MODEL and OLLAMA_VISION_MODEL in .env set them"
    exit 2
  fi
}

# Prints a line for every tenth, to be readable in a log too.
show_progress() {
  local model=$1 line status total completed tenth shown='' error=''
  while IFS= read -r line; do
    error=$(field error "$line")
    if [[ -n $error ]]; then
      complain "$model: $error"
      return 1
    fi
    status=$(field status "$line") total=$(field total "$line") completed=$(field completed "$line")
    if [[ -n $total && -n $completed && $total -gt 50000000 ]]; then
      tenth="$status $((completed * 10 / total))"
      if [[ $tenth == "$shown" ]]; then continue; fi
      shown=$tenth
      say "$model: $((completed / 1000000)) of $((total / 1000000)) MB ($((completed * 100 / total)) %)"
    elif [[ -z $total && $status != "$shown" ]]; then
      shown=$status
      say "$model: $status"
    fi
  done
  [[ $status == success ]]
}

fetch() {
  local model=$1 try
  if call POST /api/show "{\"model\":\"$model\"}" >/dev/null; then
    say "$model: already here"
    return
  fi
  for try in 1 2 3; do
    # Ollama keeps what was downloaded, so the next try continues there.
    if call POST /api/pull "{\"model\":\"$model\"}" | show_progress "$model"; then return; fi
    say "$model: try $try of 3 failed"
    sleep $((try * 5))
  done
  complain "$model could not be fetched: is the name right (https://ollama.com/library), can this container reach it, is the disk full?"
  exit 1
}

pull() {
  local models=("$OLLAMA_MODEL" "$OLLAMA_EMBED_MODEL") model waited=0
  if [[ -n $vision ]]; then models+=("$vision"); fi
  for model in "${models[@]}"; do require_name "$model"; done
  # Only this script may reach it.
  OLLAMA_HOST=127.0.0.1:$port ollama serve >/tmp/serve.log 2>&1 &
  # Expanded now on purpose: the process is the one just started.
  # shellcheck disable=SC2064
  trap "kill $! 2>/dev/null || true" EXIT
  until call GET /api/version >/dev/null 2>&1; do
    if ((++waited > 120)) || ! kill -0 $! 2>/dev/null; then
      complain "Ollama did not start: $(tail -n 5 /tmp/serve.log)"
      exit 1
    fi
    sleep 0.5
  done
  for model in "${models[@]}"; do fetch "$model"; done
  say "all models are here"
}

# An empty request loads the model and generates no token, so it does not wait for requests that run.
loaded() {
  local now role model
  now=$(call GET /api/ps) || { say "Ollama does not answer"; return 1; }
  for role in $LOADED_ROLES; do
    case $role in
      text) model=$OLLAMA_MODEL ;;
      embeddings) model=$OLLAMA_EMBED_MODEL ;;
      vision) model=$vision ;;
    esac
    if [[ -z $model || $now == *"\"${model%:latest}"[\":]* ]]; then continue; fi
    say "$model is not in memory"
    if [[ $role == embeddings ]]; then
      call POST /api/embed "{\"model\":\"$model\",\"input\":\"ok\"}" | head -c 200
    else
      call POST /api/generate "{\"model\":\"$model\",\"stream\":false}"
    fi
  done
}

case ${1:-} in
  pull) pull ;;
  loaded) loaded ;;
  *)
    complain "usage: models.sh pull|loaded"
    exit 2
    ;;
esac
