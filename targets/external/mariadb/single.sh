#!/bin/sh
# Runs a MariaDB node with its data in $1, listening on $2:$3; more arguments are the server's.
# Every commit is synced, as is usual. The data is made when there is none.
set -eu
data=$1/db ip=$2 port=$3
shift 3
if [ ! -e "${data%/db}/made" ]; then
    rm -rf "$data"
    mariadb-install-db --no-defaults --datadir="$data" --auth-root-authentication-method=normal \
        --skip-test-db --skip-name-resolve >/dev/null
    touch "${data%/db}/made"
fi
cat >"${data%/db}/init.sql" <<SQL
CREATE USER IF NOT EXISTS danso@'%' IDENTIFIED BY 'danso';
GRANT ALL ON *.* TO danso@'%';
CREATE DATABASE IF NOT EXISTS test;
SQL
PATH=$PATH:/usr/sbin
exec mariadbd --no-defaults --datadir="$data" --socket="$data/sock" --pid-file="$data/pid" \
    --bind-address="$ip" --port="$port" --init-file="${data%/db}/init.sql" --skip-name-resolve \
    --innodb-buffer-pool-size=64M --innodb-log-file-size=16M --innodb-lock-wait-timeout=2 "$@"
