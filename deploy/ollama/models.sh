#!/bin/bash
# Fetches Ollama's models and checks on them. The image has neither curl nor Python, so this speaks HTTP by itself.
#   models.sh pull     fetch MODELS, and VISION_MODEL unless USE_VISION_ANALYSIS is false, with a server of its own
#   models.sh loaded   whether CHAT_MODEL and EMBED_MODEL, where set, are in memory; loads them if not (health check)
set -euo pipefail

port=11434

say() { printf '%s\n' "$*"; }
complain() { printf 'ollama-models: %s\n' "$*" >&2; }

# Sends $1 /path with the JSON $3 and prints the body. Fails unless the answer is 200; the body then says why.
# HTTP/1.0, so that the answer comes as it is and not in chunks.
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

# Prints a line whenever another tenth has come, so that it reads well in a log too.
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
    # What has come is kept, so another try goes on where the last one stopped.
    if call POST /api/pull "{\"model\":\"$model\"}" | show_progress "$model"; then return; fi
    say "$model: try $try of 3 failed"
    sleep $((try * 5))
  done
  complain "$model could not be fetched: is the name right (https://ollama.com/library), has this machine a way out, is the disk full?"
  exit 1
}

pull() {
  local models=() model waited=0
  read -r -a models <<<"${MODELS:?}"
  if [[ ${USE_VISION_ANALYSIS:-true} != false ]]; then models+=("$VISION_MODEL"); fi
  for model in "${models[@]}"; do require_name "$model"; done
  # Nobody but this script may reach it.
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

# Loading makes no token: an empty request brings the model into memory, and the running ones are not waited for.
loaded() {
  local now
  now=$(call GET /api/ps) || { say "Ollama does not answer"; return 1; }
  if [[ -n ${CHAT_MODEL:-} && $now != *"\"${CHAT_MODEL%:latest}"[\":]* ]]; then
    say "$CHAT_MODEL is not in memory"
    call POST /api/generate "{\"model\":\"$CHAT_MODEL\",\"stream\":false}"
  fi
  if [[ -n ${EMBED_MODEL:-} && $now != *"\"${EMBED_MODEL%:latest}"[\":]* ]]; then
    say "$EMBED_MODEL is not in memory"
    call POST /api/embed "{\"model\":\"$EMBED_MODEL\",\"input\":\"ok\"}" | head -c 200
  fi
}

case ${1:-} in
  pull) pull ;;
  loaded) loaded ;;
  *)
    complain "say pull or loaded"
    exit 2
    ;;
esac
