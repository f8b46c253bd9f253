#!/bin/sh
# Writes nginx's configuration and the start page from the settings, then starts nginx.
set -eu

: "${MAX_UPLOAD_MB:=200}"
: "${ANONYMOUS_REQUESTS_PER_MINUTE:=10}"
: "${REQUESTS_PER_SECOND:=50}"
: "${CONNECTIONS_PER_ADDRESS:=200}"

fail() {
  echo "gateway: $1" >&2
  exit 1
}

for name in MAX_UPLOAD_MB ANONYMOUS_REQUESTS_PER_MINUTE REQUESTS_PER_SECOND CONNECTIONS_PER_ADDRESS; do
  value=''
  eval "value=\$$name"
  case $value in
    '' | *[!0-9]* | 0*) fail "$name must be a whole number greater than 0, not '$value'" ;;
  esac
  set -- "$@" -e "s|@$name@|$value|g"
done

paths=''
: >/tmp/services.conf
for service in ${SERVICES:?PATH=HOST:PORT of each service}; do
  printf '%s\n' "$service" | grep -Eqx '[a-z-]+=[a-z0-9.-]+:[0-9]+' || fail "SERVICES: '$service' is not PATH=HOST:PORT"
  printf '%s %s;\n' "${service%%=*}" "${service#*=}" >>/tmp/services.conf
  paths="$paths${paths:+ }${service%%=*}"
done
mkdir -p /tmp/page
sed "s|@PATHS@|$paths|" /usr/share/switchyard/web/index.html >/tmp/page/index.html

# Requests a little above the limit reach the service, which answers 413 in its own words.
sed "$@" -e "s|@PATHS@|$paths|g" -e "s|@MAX_BODY_MB@|$((MAX_UPLOAD_MB + MAX_UPLOAD_MB / 20 + 1))|g" \
  /etc/switchyard/nginx.conf >/tmp/nginx.conf
exec nginx -c /tmp/nginx.conf
