#!/usr/bin/env bash
# Installs PostgreSQL's programs if they are missing, for the tests that start their own server; creates no cluster.
set -euo pipefail

shopt -s nullglob
servers=(/usr/lib/postgresql/*/bin/postgres)
if ((${#servers[@]} > 0)) || command -v postgres >/dev/null; then exit 0; fi
root=()
if [[ $(id -u) != 0 ]]; then
  if ! sudo -n true 2>/dev/null; then
    echo "PostgreSQL is missing, and installing it needs root. Run this, then try again:" >&2
    echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends postgresql" >&2
    exit 1
  fi
  root=(sudo -n)
fi
if ! command -v apt-get >/dev/null; then
  echo "Install PostgreSQL's server with your package manager, then try again." >&2
  exit 1
fi
echo "Installing postgresql…"
# Debian's package creates and starts a cluster unless this setting forbids it.
if [[ ! -e /etc/postgresql-common/createcluster.conf ]]; then
  "${root[@]}" mkdir -p /etc/postgresql-common
  echo "create_main_cluster = false" | "${root[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
fi
"${root[@]}" apt-get update -qq
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
  -o Dpkg::Options::=--force-confold postgresql >/dev/null
