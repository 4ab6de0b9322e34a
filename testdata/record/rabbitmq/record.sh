#!/bin/sh
# Records RabbitMQ's management (Debian package "rabbitmq-server") into DIR:
#   record.sh DIR a|b|c
set -eu
out=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")"
data=$(mktemp -d)
chmod 755 "$data"
./start.sh "$data" >"$data/out" &
pid=$!
trap 'kill $pid; wait $pid || true; ERL_EPMD_PORT=15676 epmd -kill >/dev/null; rm -rf "$data"' EXIT
until curl -fsS -o /dev/null -u guest:guest http://127.0.0.1:15673/api/overview 2>/dev/null; do sleep 0.5; done
node record.mjs "$out/rabbitmq-$2.har" "$2"
