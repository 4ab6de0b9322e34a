#!/bin/sh
# Records Verdaccio (npm package "verdaccio") into DIR:
#   record.sh DIR a|b|c
# It writes two files: what the browser exchanged and what the npm client did.
set -eu
out=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")"
data=$(mktemp -d)
cp config.yaml "$data/config.yaml"
echo "storage: $data/storage" >>"$data/config.yaml"
PATH=$PWD/node_modules/.bin:$PATH
verdaccio --config "$data/config.yaml" --listen 127.0.0.1:14873 >"$data/log" &
pid=$!
trap 'kill $pid; wait $pid || true; rm -rf "$data"' EXIT
until curl -fsS -o /dev/null http://127.0.0.1:14873/-/ping 2>/dev/null; do sleep 0.2; done
node record.mjs "$out/verdaccio-$2.har" "$out/verdaccio-$2-npm.har" "$2" "$data"
