#!/bin/sh
# Runs a PostgreSQL node with its data in $1, listening on $2:$3, as it comes: fsync is on. More
# arguments are the server's. The data is made when there is none.
set -eu
home=$1 ip=$2 port=$3
shift 3
data=$home/db
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
if [ ! -e "$home/made" ]; then
    rm -rf "$data"
    "$bin/initdb" -D "$data" -U postgres -A trust --no-locale -E UTF8 --no-sync >/dev/null
    # After a crash one sync of the file system replaces one of each of a thousand files.
    cat >>"$data/postgresql.conf" <<CONF
unix_socket_directories = ''
shared_buffers = 32MB
recovery_init_sync_method = syncfs
CONF
    echo "host all all all trust" >>"$data/pg_hba.conf"
    touch "$home/made"
fi
exec "$bin/postgres" -D "$data" -h "$ip" -p "$port" "$@"
