#!/bin/sh
# Fills the settings into nginx's configuration and becomes nginx.
set -eu

: "${MAX_UPLOAD_MB:=200}"
: "${ANONYMOUS_REQUESTS_PER_MINUTE:=10}"
: "${REQUESTS_PER_SECOND:=50}"
: "${CONNECTIONS_PER_ADDRESS:=200}"

for name in MAX_UPLOAD_MB ANONYMOUS_REQUESTS_PER_MINUTE REQUESTS_PER_SECOND CONNECTIONS_PER_ADDRESS; do
  value=''
  eval "value=\$$name"
  case $value in
    '' | *[!0-9]* | 0*)
      echo "gateway: $name must be a whole number greater than 0, not '$value'" >&2
      exit 1
      ;;
  esac
  set -- "$@" -e "s|@$name@|$value|g"
done
# 413 is the service's to say, in its own words, so nginx lets a little more through.
sed "$@" -e "s|@MAX_BODY_MB@|$((MAX_UPLOAD_MB + MAX_UPLOAD_MB / 20 + 1))|g" /etc/switchyard/nginx.conf >/tmp/nginx.conf
exec nginx -c /tmp/nginx.conf
