#!/bin/sh
# Records Unleash (npm package "unleash-server", needs PostgreSQL) into DIR:
#   record.sh DIR a|b|c
set -eu
out=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")"
data=$(mktemp -d)
./start.sh "$data" &
pid=$!
trap 'kill $pid; wait $pid || true; rm -rf "$data"' EXIT
until curl -fsS -o /dev/null http://127.0.0.1:14242/health 2>/dev/null; do sleep 0.5; done
node record.mjs "$out/unleash-$2.har" "$2"
