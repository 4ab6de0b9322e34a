#!/bin/sh
# Records Prometheus (Debian package "prometheus") into DIR:
#   record.sh DIR a|b|c [har|zip]
set -eu
out=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")"
data=$(mktemp -d)
prometheus --config.file=prometheus.yml --storage.tsdb.path="$data" \
  --web.listen-address=127.0.0.1:19090 --web.enable-admin-api --web.enable-lifecycle \
  --enable-feature=exemplar-storage --log.level=error &
pid=$!
trap 'kill $pid; wait $pid || true; rm -rf "$data"' EXIT
until curl -fsS -o /dev/null http://127.0.0.1:19090/-/ready 2>/dev/null; do sleep 0.2; done
sleep 20 # let it collect some of its own samples
node record.mjs "$out/prometheus-$2.${3:-har}" "$2"
