#!/usr/bin/env bash
# One container, one vLLM server per role, as one server serves one model: text on 8000, embeddings on 8001, and a
# reranker on 8002 where VLLM_RERANK_MODEL is set.
#
#   vllm-entrypoint.sh serve      start them one after the other and stay (the default)
#   vllm-entrypoint.sh download   fetch the configured models into the Hugging Face cache, and end
#   vllm-entrypoint.sh health     true where every configured server works; see `check_server`
#
# Settings (environment): see `read_settings`. HF_TOKEN and VLLM_API_KEY may also be files in /run/secrets.
#
# Exit status: 0 stopped on request, after the servers drained; or all models are there
#              64 unknown verb
#              69 a model is not there and could not be fetched
#              70 a server ended of its own accord, while loading or later (the restart policy is to act)
#              71 asked to stop, but a server did not end in time and was killed
#              77 the model is gated and no token opens it
#              78 a setting is wrong
#              143 a download was stopped
set -euo pipefail

HERE=$(dirname "${BASH_SOURCE[0]}")/deploy/vllm
readonly HERE BAD_VERB=64 NO_MODEL=69 SERVER_ENDED=70 STOP_TIMED_OUT=71 GATED=77 BAD_SETTING=78

# Once a server has died, how long the others may take to finish: the container is to be back soon.
readonly DEATH_GRACE=5
# How long beyond VLLM_SHUTDOWN_TIMEOUT a server may take to end.
readonly STOP_MARGIN=${STOP_MARGIN:-10}
# A busy server that takes no step for so long hangs: the longest honest step, a full prefill on a slow CPU, is shorter.
readonly STALL=120


say() { printf '[vllm] %s\n' "$*"; }

die() {
  local status=$1
  shift
  say "ERROR: $*" >&2
  exit "$status"
}

# ---------------------------------------------------------------- settings

declare -A SETTING=([text]=VLLM_MODEL [embeddings]=VLLM_EMBED_MODEL [rerank]=VLLM_RERANK_MODEL)
declare -A SHARE_SETTING=([text]=GPU_MEMORY_UTILIZATION [embeddings]=EMBED_MEMORY_UTILIZATION
  [rerank]=RERANK_MEMORY_UTILIZATION)
declare -A OPEN_ALTERNATIVE=([text]=Qwen/Qwen3-4B-Instruct-2507 [embeddings]=nomic-ai/nomic-embed-text-v1.5
  [rerank]=BAAI/bge-reranker-v2-m3)
declare -A GIVEN MODEL SHARE ARGS PORT
HUB_PID=
ROLES=(text embeddings)

read_settings() {
  # The names that the services ask for where they are told no other.
  GIVEN[text]=${VLLM_MODEL:-Qwen/Qwen3-4B-Instruct-2507}
  GIVEN[embeddings]=${VLLM_EMBED_MODEL:-nomic-ai/nomic-embed-text-v1.5}
  GIVEN[rerank]=${VLLM_RERANK_MODEL:-}
  [[ -z ${GIVEN[rerank]} ]] || ROLES+=(rerank)
  SHARE[text]=${GPU_MEMORY_UTILIZATION:-0.70}
  SHARE[embeddings]=${EMBED_MEMORY_UTILIZATION:-0.08}
  SHARE[rerank]=${RERANK_MEMORY_UTILIZATION:-0.08}
  ARGS[text]=${VLLM_ARGS:-}
  ARGS[embeddings]=${VLLM_EMBED_ARGS:-}
  ARGS[rerank]=${VLLM_RERANK_ARGS:-}
  MAX_MODEL_LEN=${VLLM_MAX_MODEL_LEN:-16384}
  MAX_QUEUED=${VLLM_MAX_QUEUED:-256}
  SHUTDOWN_TIMEOUT=${VLLM_SHUTDOWN_TIMEOUT:-60}
  DEVICE=${VLLM_DEVICE:-gpu}
  CPU_KVCACHE=${VLLM_CPU_KVCACHE_SPACE:-4}
  local base=${VLLM_PORT_BASE:-8000}
  whole_number VLLM_PORT_BASE "$base"
  PORT=([text]=$base [embeddings]=$((base + 1)) [rerank]=$((base + 2)))
  # vLLM takes everything that begins with its name for its own, and warns of what it doesn't know; VLLM_PORT it would
  # even believe, and Kubernetes sets one for every service called vllm.
  export -n VLLM_MODEL VLLM_EMBED_MODEL VLLM_RERANK_MODEL VLLM_ARGS VLLM_EMBED_ARGS VLLM_RERANK_ARGS \
    VLLM_MAX_MODEL_LEN VLLM_MAX_QUEUED VLLM_SHUTDOWN_TIMEOUT VLLM_DEVICE VLLM_PORT_BASE VLLM_CPU_KVCACHE_SPACE VLLM_PORT
}

read_secrets() {
  local name
  for name in HF_TOKEN VLLM_API_KEY; do
    read_secret "$name" "${SECRETS_DIR:-/run/secrets}/$name"
  done
}

read_secret() {
  local name=$1 file=$2 value
  if [[ -f $file && -s $file ]]; then
    # Passing over a secret that is there would leave the servers open, or call a model gated.
    [[ -r $file ]] || die $BAD_SETTING "the file that ${name}_FILE names can't be read by user $(id -u): chmod a+r it on the host."
    value=$(tr -d '[:space:]' <"$file")
    printf -v "$name" '%s' "$value"
  fi
  # Compose hands on an empty value where none is set, and vLLM and the Hub would take that for one.
  if [[ -n ${!name:-} ]]; then export "${name?}"; else unset "$name"; fi
}

whole_number() {
  [[ $2 =~ ^[1-9][0-9]*$ ]] || die $BAD_SETTING "$1 is '$2', and must be a whole number above 0."
}

check_settings() {
  whole_number VLLM_MAX_MODEL_LEN "$MAX_MODEL_LEN"
  whole_number VLLM_MAX_QUEUED "$MAX_QUEUED"
  whole_number VLLM_SHUTDOWN_TIMEOUT "$SHUTDOWN_TIMEOUT"
  case $DEVICE in
    gpu) check_shares ;;
    cpu) use_cpu ;;
    *) die $BAD_SETTING "VLLM_DEVICE is '$DEVICE', and must be gpu or cpu." ;;
  esac
}

# vLLM takes each share of the whole card, whoever else is on it, and needs some beyond it: all must leave a tenth.
check_shares() {
  local role sum='' told=''
  for role in "${ROLES[@]}"; do
    [[ ${SHARE[$role]} =~ ^(0?\.[0-9]*[1-9][0-9]*)$ ]] ||
      die $BAD_SETTING "${SHARE_SETTING[$role]} is '${SHARE[$role]}', and must lie between 0 and 1, such as 0.08."
    sum+=" ${SHARE[$role]}"
    told+="${told:+ + }${SHARE[$role]} (${SHARE_SETTING[$role]})"
  done
  # Rounded, as 0.7 + 0.1 + 0.1 is less than 0.9 in binary.
  sum=$(awk '{ for (i = 1; i <= NF; i++) s += $i; printf "%.4f", s }' <<<"$sum")
  awk -v sum="$sum" 'BEGIN { exit !(sum < 0.9) }' ||
    die $BAD_SETTING "the memory shares add up to $(awk -v s="$sum" 'BEGIN { print s + 0 }'): $told." \
      "They must stay below 0.9, or the last server finds the card full: lower ${SHARE_SETTING[text]} first."
}

# On a CPU the share would be one of the machine's memory, without regard to the container's limit or the other servers.
# A cache of fixed size takes its place, and vLLM then reads no share at all. Each server takes that much at once, but for
# those whose model needs no such cache, as most that embed.
use_cpu() {
  whole_number VLLM_CPU_KVCACHE_SPACE "$CPU_KVCACHE"
  export VLLM_CPU_KVCACHE_SPACE=$CPU_KVCACHE
}

# ---------------------------------------------------------------- models

resolve_models() {
  local role
  for role in "${ROLES[@]}"; do
    resolve_model "$role" "${GIVEN[$role]%:latest}"
  done
}

resolve_model() {
  local role=$1 name=$2
  if is_folder "$name"; then
    [[ -d $name ]] || die $BAD_SETTING "${SETTING[$role]} is the folder $name, which this container does not have."
    MODEL[$role]=$name
  elif [[ $name == */* ]]; then
    MODEL[$role]=$name
  else
    MODEL[$role]=$(hub_id "$name")
    [[ -n ${MODEL[$role]} ]] ||
      die $BAD_SETTING "${SETTING[$role]} is '$name', which is none of the short names known here. Give a Hugging Face" \
        "id (owner/name), a folder, or one of: $(awk '!/^#/ { printf "%s%s", sep, $1; sep = ", " }' "$HERE/names.txt")."
  fi
}

is_folder() { [[ $1 == /* || $1 == ./* || $1 == ../* ]]; }

# names.txt: Ollama's names, and what they stand for.
hub_id() { awk -v name="$1" '$1 == name { print $2; exit }' "$HERE/names.txt"; }

ollama_name() { awk -v id="$1" '$2 == id { print $1; exit }' "$HERE/names.txt"; }

# The name that was given comes first: answers and metrics carry it.
served_names() {
  local role=$1
  printf '%s\n' "${GIVEN[$role]}" "${GIVEN[$role]%:latest}" "${MODEL[$role]}" "$(ollama_name "${MODEL[$role]}")" |
    awk 'NF && !seen[$0]++'
}

# What is known without asking; `download` asks the Hub as well.
looks_gated() {
  case $1 in
    meta-llama/* | google/gemma* | google/embeddinggemma* | google/medgemma*) return 0 ;;
    *) return 1 ;;
  esac
}

refuse_gated() {
  local role=$1
  die $GATED "${MODEL[$role]} is gated: its owner gives it only to those who accepted its licence. Either set" \
    "${SETTING[$role]}=${OPEN_ALTERNATIVE[$role]}, which is open; or accept the licence at" \
    "https://huggingface.co/${MODEL[$role]} and put a token of that account into a file that HF_TOKEN_FILE in .env names (secrets/README.md)."
}

# Stops at once for what would otherwise be seen only after the servers before it have loaded.
check_models() {
  local role
  for role in "${ROLES[@]}"; do
    if is_folder "${MODEL[$role]}" || hub cached "${MODEL[$role]}"; then continue; fi
    if looks_gated "${MODEL[$role]}" && [[ -z ${HF_TOKEN:-} ]]; then refuse_gated "$role"; fi
    [[ ${HF_HUB_OFFLINE:-0} != 1 ]] ||
      die $NO_MODEL "${MODEL[$role]} is not in the cache, and this container may not fetch it. Run the container that" \
        "does (vllm-models), and look at its log."
  done
}

# hub cached ID: true where all of a model that vLLM reads lies in the Hugging Face cache; asks nobody.
# hub fetch ID:  fetches it; ends with NO_MODEL or GATED, having said why.
# In the background and waited for, so that a signal is heard at once; with no bars that redraw themselves, which are
# unreadable in a container's log.
hub() {
  local status=0
  HF_HUB_DISABLE_PROGRESS_BARS=1 HF_HUB_DISABLE_TELEMETRY=1 python3 "$HERE/hub.py" "$@" &
  HUB_PID=$!
  wait "$HUB_PID" || status=$?
  HUB_PID=
  return "$status"
}

# ---------------------------------------------------------------- download

stop_download() {
  say "stopped; what was fetched is kept"
  [[ -z $HUB_PID ]] || kill "$HUB_PID"
  exit 143
}

download() {
  local role wanted=()
  trap stop_download TERM INT
  for role in "${ROLES[@]}"; do
    if is_folder "${MODEL[$role]}"; then
      say "$role: the folder ${MODEL[$role]}, nothing to fetch"
    elif hub cached "${MODEL[$role]}"; then
      say "$role: ${MODEL[$role]} is in the cache"
    else
      wanted+=("$role")
    fi
  done
  # All of them first: nobody wants to wait for one model, to be told then that the next is gated.
  for role in "${wanted[@]}"; do
    if looks_gated "${MODEL[$role]}" && [[ -z ${HF_TOKEN:-} ]]; then refuse_gated "$role"; fi
  done
  for role in "${wanted[@]}"; do
    fetch_model "$role"
  done
  say "all models are there"
}

fetch_model() {
  local role=$1 status=0
  say "$role: fetching ${MODEL[$role]}"
  hub fetch "${MODEL[$role]}" || status=$?
  case $status in
    0) ;;
    "$GATED") refuse_gated "$role" ;;
    *) die $NO_MODEL "$role: ${MODEL[$role]} is not there." ;;
  esac
}

# ---------------------------------------------------------------- servers

declare -A PID
LOADING=
LOGGERS=()

server_command() {
  local role=$1 names extra
  mapfile -t names < <(served_names "$role")
  read -r -d '' -a extra <<<"${ARGS[$role]}" || true
  COMMAND=(vllm serve "${MODEL[$role]}" --served-model-name "${names[@]}" --host 0.0.0.0 --port "${PORT[$role]}"
    --max-num-queued-reqs "$MAX_QUEUED" --shutdown-timeout "$SHUTDOWN_TIMEOUT")
  if [[ $DEVICE == gpu ]]; then COMMAND+=(--gpu-memory-utilization "${SHARE[$role]}"); fi
  if [[ $role == text ]]; then
    # A weak model would fill the freedom that JSON leaves between its parts with spaces for ever.
    COMMAND+=(--max-model-len "$MAX_MODEL_LEN"
      --structured-outputs-config '{"backend":"xgrammar","disable_any_whitespace":true}')
  fi
  # Last, so that they win over ours.
  COMMAND+=("${extra[@]}")
}

# Each line is marked by its role. The pipe is opened here, so that the marker is this shell's child and the process id
# is the server's own; and it outlives the signals by which servers end, as their last words matter most.
start_server() {
  local role=$1 log COMMAND
  server_command "$role"
  exec {log}> >(trap '' INT TERM && exec sed -u "s/^/[$role] /")
  LOGGERS+=("$!")
  say "$role: starting ${MODEL[$role]} on port ${PORT[$role]}"
  "${COMMAND[@]}" >&"$log" 2>&1 &
  PID[$role]=$!
  exec {log}>&-
}

alive() { kill -0 "$1" 2>/dev/null; }

# pause SECONDS, in which a signal is heard at once.
pause() {
  sleep "$1" &
  wait $! || true
}

# The next only after the former: each measures how much of the card is free, and two that do so at once get it wrong.
start_servers() {
  local role
  for role in "${ROLES[@]}"; do
    LOADING=$role
    start_server "$role"
    wait_until_healthy "$role"
    LOADING=
  done
}

wait_until_healthy() {
  local role=$1 begun=$SECONDS told=$SECONDS
  until http 5 "${PORT[$role]}" 'GET /health' >/dev/null; do
    end_if_any_ended "while $role was loading"
    pause 0.2
    if ((SECONDS - told >= 30)); then
      told=$SECONDS
      say "$role: still loading after $((SECONDS - begun)) s"
    fi
  done
  # What answers on its port may be something else that took it first.
  end_if_any_ended "while $role was loading"
  say "$role: serving after $((SECONDS - begun)) s as $(served_names "$role" | paste -sd ' ')"
}

end_if_any_ended() {
  local role status=0
  for role in "${!PID[@]}"; do
    alive "${PID[$role]}" && continue
    wait "${PID[$role]}" || status=$?
    unset "PID[$role]"
    say "ERROR: the server for $role (${MODEL[$role]}) ended with status $status $1. Look at the lines above that begin" \
      "with [$role]: the last error among them is the cause. $(hint "$status")" >&2
    end "$SERVER_ENDED" "$DEATH_GRACE"
  done
}

hint() {
  case $1 in
    137) echo "137 is a kill -9: most often the container's memory limit (docker inspect says OOMKilled)." ;;
    0) echo "It stopped as if it had been asked to." ;;
    *) echo "Often it is memory: lower the shares, VLLM_MAX_MODEL_LEN, or choose a smaller model." ;;
  esac
}

signal_servers() {
  local role
  for role in "${!PID[@]}"; do
    kill "-$1" "${PID[$role]}" 2>/dev/null || true
  done
}

any_alive() {
  local role
  for role in "${!PID[@]}"; do
    if alive "${PID[$role]}"; then return 0; fi
  done
  return 1
}

wait_for_servers() {
  local limit=$((SECONDS + $1))
  while any_alive; do
    ((SECONDS < limit)) || return 1
    pause 0.2
  done
}

# Let the last lines out; bounded, as a grandchild may hold the pipe open.
wait_for_loggers() {
  local logger tries
  for logger in "${LOGGERS[@]}"; do
    for ((tries = 0; tries < 10; tries++)); do
      alive "$logger" || break
      sleep 0.1
    done
  done
}

end() {
  local status=$1 grace=$2
  trap '' TERM INT
  signal_servers TERM
  if ! wait_for_servers "$grace"; then
    say "not all servers ended within $grace s: killing the rest" >&2
    signal_servers KILL
    wait "${PID[@]}" 2>/dev/null || true
    ((status != 0)) || status=$STOP_TIMED_OUT
  fi
  wait_for_loggers
  say "ended with status $status"
  exit "$status"
}

stop() {
  say "asked to stop: open requests may finish, for $SHUTDOWN_TIMEOUT s at most"
  # One that is loading has no requests, and is deaf to anything gentler for a long while.
  if [[ -n $LOADING && -n ${PID[$LOADING]:-} ]]; then kill -KILL "${PID[$LOADING]}" 2>/dev/null || true; fi
  end 0 $((SHUTDOWN_TIMEOUT + STOP_MARGIN))
}

serve() {
  trap stop TERM INT
  check_models
  start_servers
  say "ready after $SECONDS s"
  while true; do
    end_if_any_ended "while it served"
    pause 1
  done
}

# ---------------------------------------------------------------- health

# http SECONDS PORT 'METHOD PATH' [BODY]: prints the answer; true where its status is 200. Without curl, which images
# may lack, and without Python, whose start would cost more than the question.
http() {
  local limit=$1 port=$2 request=$3 body=${4:-} answer
  answer=$(ask "$limit" "$port" "$request" "$body" 2>/dev/null) || true
  printf '%s\n' "$answer"
  [[ $answer == HTTP/1.[01]\ 200* ]]
}

ask() {
  local limit=$1 port=$2 request=$3 body=$4 connection
  exec {connection}<>"/dev/tcp/127.0.0.1/$port"
  printf '%s HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n' \
    "$request" "${VLLM_API_KEY:-}" >&"$connection"
  printf 'Content-Length: %d\r\n\r\n%s' "${#body}" "$body" >&"$connection"
  timeout "$limit" cat <&"$connection"
}

health() {
  local role
  for role in "${ROLES[@]}"; do
    check_server "$role" || exit 1
  done
  echo "healthy: ${ROLES[*]}"
}

# Whether one server works: by a token, a vector or a rank of its own while it idles, and by its progress while it is
# busy. /health alone is green for an engine that hangs; a probe alone would queue behind the load, and so be red (or
# answered 503) exactly when the server does most.
check_server() {
  local role=$1 metrics busy steps since
  http 5 "${PORT[$role]}" 'GET /health' >/dev/null || { echo "$role: /health does not answer 200"; return 1; }
  metrics=$(http 5 "${PORT[$role]}" 'GET /metrics') || { echo "$role: no metrics"; return 1; }
  busy=$(metric 'vllm:num_requests_(running|waiting)' <<<"$metrics")
  if [[ $busy == 0 ]]; then
    forget_progress "$role"
    probe "$role" && return 0
    # Load may have come in between; the next check will see it by its progress.
    echo "$role: idle, and yet a request of one token failed"
    return 1
  fi
  steps=$(metric 'vllm:(iteration_tokens_total_count|generation_tokens_total|prompt_tokens_total|request_success_total)' \
    <<<"$metrics")
  since=$(progress_since "$role" "$steps")
  ((EPOCHSECONDS - since < STALL)) || { echo "$role: $busy requests, and no step for $((EPOCHSECONDS - since)) s"; return 1; }
}

# The sum over all samples of the metrics whose name matches.
metric() {
  awk -v pattern="^($1)[{ ]" '$0 ~ pattern { sum += $NF } END { printf "%.0f", sum }'
}

probe() {
  case $1 in
    text) http 5 "${PORT[text]}" 'POST /v1/completions' '{"prompt":"a","max_tokens":1}' ;;
    embeddings) http 5 "${PORT[embeddings]}" 'POST /v1/embeddings' '{"input":"a"}' ;;
    rerank) http 5 "${PORT[rerank]}" 'POST /v1/rerank' '{"query":"a","documents":["b"]}' ;;
  esac >/dev/null
}

# Each check is a process of its own: between them, a file remembers how far the server was, and since when.
progress_file() { printf '%s' "${TMPDIR:-/tmp}/vllm-progress.$1"; }

forget_progress() { rm -f "$(progress_file "$1")"; }

progress_since() {
  local role=$1 steps=$2 file before=0 since=0
  file=$(progress_file "$role")
  if [[ -r $file ]]; then read -r before since <"$file" || true; fi
  if [[ $before != "$steps" || $since == 0 ]]; then
    since=$EPOCHSECONDS
    printf '%s %s\n' "$steps" "$since" >"$file"
  fi
  echo "$since"
}

# ---------------------------------------------------------------- main

main() {
  local verb=${1:-serve}
  case $verb in
    serve | download | health) ;;
    *) die $BAD_VERB "unknown verb '$verb': serve, download or health." ;;
  esac
  read_secrets
  read_settings
  check_settings
  resolve_models
  "$verb"
}

main "$@"
