#!/bin/sh
# Starts PostgreSQL and Unleash with empty data, until it is ended:
#   start.sh DATADIR
# Unleash answers on 127.0.0.1:14242 (admin, unleash4all).
set -eu
cd "$(dirname "$0")"
data=$1
as_user() { "$@"; }
if [ "$(id -u)" = 0 ]; then # PostgreSQL does not run as root
  chown postgres "$data"
  as_user() { runuser -u postgres -- "$@"; }
fi
as_user initdb -D "$data/db" -U unleash -A trust >/dev/null
as_user pg_ctl -D "$data/db" -l "$data/db.log" -w start \
  -o "-c listen_addresses=127.0.0.1 -c port=15433 -c unix_socket_directories= -c fsync=off" >/dev/null
server=
trap 'kill $server; wait $server || true; as_user pg_ctl -D "$data/db" -m immediate stop >/dev/null' EXIT
trap 'exit 0' TERM INT
export DATABASE_HOST=127.0.0.1 DATABASE_PORT=15433 DATABASE_USERNAME=unleash DATABASE_PASSWORD=none \
  DATABASE_NAME=postgres DATABASE_SSL=false HTTP_HOST=127.0.0.1 HTTP_PORT=14242 NODE_ENV=production \
  UNLEASH_URL=http://127.0.0.1:14242 LOG_LEVEL=error CHECK_VERSION=false SEND_TELEMETRY=false
node node_modules/unleash-server/dist/server.js >"$data/log" 2>&1 &
server=$!
wait $server
