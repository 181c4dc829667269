#!/bin/sh
# Runs one of two PostgreSQL nodes, a primary and its streaming standby:
#
#     node.sh DATA NAME IP PORT PEER_IP [SYNC]
#
# n1 begins as the primary. A node whose peer is primary becomes its standby, by a fresh base
# backup if it was primary itself. SYNC is `synchronous_standby_names`. Who is promoted when is
# the monitor's business (monitor.sh).
set -u
home=$1 name=$2 ip=$3 port=$4 peer=$5 sync=${6-}
data=$home/db
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
say() { echo "node.sh: $*" >&2; }

# An answer to SQL from a node, or nothing within a second.
ask() { timeout 1 psql -h "$1" -p "$port" -U postgres -Atqc "$2" 2>/dev/null; }
# The number of a primary's timeline: each promotion begins a new one.
timeline="SELECT CASE WHEN NOT pg_is_in_recovery()
    THEN ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END"

found() {
    "$bin/initdb" -D "$data" -U postgres -A trust --no-locale -E UTF8 --no-sync >/dev/null || exit 1
    {
        echo "host all all all trust"
        echo "host replication all all trust"
    } >>"$data/pg_hba.conf"
    cat >>"$data/postgresql.conf" <<CONF
unix_socket_directories = ''
shared_buffers = 32MB
max_connections = 300
recovery_init_sync_method = syncfs
synchronous_standby_names = '$sync'
wal_sender_timeout = 5s
wal_receiver_timeout = 5s
wal_retrieve_retry_interval = 500ms
CONF
    touch "$home/born" "$home/made"
}

# A base backup of the peer's; what was here is gone, and it is not ours again until it is whole.
copy() {
    say "a base backup from $peer"
    rm -f "$home/made"
    rm -rf "$data"
    "$bin/pg_basebackup" -h "$peer" -p "$port" -U postgres -D "$data" -R -X stream \
        --checkpoint=fast --no-sync || return 1
    echo "primary_conninfo = 'host=$peer port=$port user=postgres application_name=$name'" \
        >>"$data/postgresql.auto.conf"
    touch "$home/born" "$home/made"
}

while :; do
    if [ "$name" = n1 ] && [ ! -e "$home/born" ]; then
        found
    elif [ ! -e "$home/made" ]; then
        copy || { sleep 1; continue; }
    elif [ ! -e "$data/standby.signal" ] && [ -n "$(ask "$peer" "$timeline")" ]; then
        copy || { sleep 1; continue; }
    fi
    "$bin/postgres" -D "$data" -h "$ip" -p "$port" &
    postgres=$!
    while sleep 1 && kill -0 "$postgres" 2>/dev/null; do
        # A primary that hears of a later one steps down.
        mine=$(ask "$ip" "$timeline")
        [ -n "$mine" ] || continue
        theirs=$(ask "$peer" "$timeline")
        if [ -n "$theirs" ] && [ "$theirs" -gt "$mine" ]; then
            say "$peer is primary since timeline $theirs, this is $mine: stepping down"
            kill -QUIT "$postgres"
            break
        fi
    done
    wait "$postgres"
    say "postgres has ended: $?"
done
