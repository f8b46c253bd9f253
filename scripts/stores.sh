#!/usr/bin/env bash
# Makes sure that PostgreSQL's programs are there, for the tests that start a server of their own; no cluster is made.
set -euo pipefail

shopt -s nullglob
found=(/usr/lib/postgresql/*/bin/postgres)
if ((${#found[@]} > 0)) || command -v postgres >/dev/null; then exit 0; fi
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
# Debian makes and starts a cluster of its own with the package, unless it is told not to.
if [[ ! -e /etc/postgresql-common/createcluster.conf ]]; then
  "${root[@]}" mkdir -p /etc/postgresql-common
  echo "create_main_cluster = false" | "${root[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
fi
"${root[@]}" apt-get update -qq
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
  -o Dpkg::Options::=--force-confold postgresql >/dev/null
