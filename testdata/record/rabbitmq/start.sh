#!/bin/sh
# Starts RabbitMQ with empty data, until it is ended:  start.sh DATADIR
# Its management pages and API answer on 127.0.0.1:15673 (guest, guest).
set -eu
data=$1
cat >"$data/rabbitmq.conf" <<'C'
listeners.tcp.local = 127.0.0.1:15674
management.tcp.ip = 127.0.0.1
management.tcp.port = 15673
log.console = false
C
echo '[rabbitmq_management].' >"$data/plugins"
[ "$(id -u)" != 0 ] || chown -R rabbitmq "$data"
export ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT=15676 RABBITMQ_NODENAME=record@localhost RABBITMQ_DIST_PORT=15675 \
  RABBITMQ_CONFIG_FILE="$data/rabbitmq.conf" RABBITMQ_ENABLED_PLUGINS_FILE="$data/plugins" HOME="$data" \
  RABBITMQ_MNESIA_BASE="$data/db" RABBITMQ_LOG_BASE="$data/log" RABBITMQ_PID_FILE="$data/pid" \
  RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}"
server=/usr/lib/rabbitmq/bin/rabbitmq-server
if [ "$(id -u)" = 0 ]; then exec setpriv --reuid=rabbitmq --regid=rabbitmq --clear-groups "$server"; else exec "$server"; fi
