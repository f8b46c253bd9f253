#!/bin/sh
# vllm-entrypoint.sh serve|download|health: see deploy/vllm/supervisor.py.
exec python3 "$(dirname "$0")/deploy/vllm/supervisor.py" "$@"
