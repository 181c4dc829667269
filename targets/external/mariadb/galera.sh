#!/bin/sh
# Runs a node of a Galera cluster: galera.sh DATA NAME IP PORT ALL_IPS [SERVER OPTION...]
#
# n1 founds the cluster when it has never run. Whoever has run before looks for its last position
# first, as the distribution's service does, so that it is only told what it missed.
set -eu
home=$1 name=$2 ip=$3 port=$4 all=$5
shift 5
data=$home/db
PATH=$PATH:/usr/sbin
if [ "$name" = n1 ] && [ ! -e "$home/made" ]; then
    rm -rf "$data"
    mariadb-install-db --no-defaults --datadir="$data" --auth-root-authentication-method=normal \
        --skip-test-db --skip-name-resolve >/dev/null
    cat >"$home/found.sql" <<SQL
CREATE USER IF NOT EXISTS danso@'%' IDENTIFIED BY 'danso';
GRANT ALL ON *.* TO danso@'%';
CREATE DATABASE IF NOT EXISTS test;
SQL
    touch "$home/made"
    set -- --wsrep-new-cluster --init-file="$home/found.sql" "$@"
elif [ ! -e "$data/ibdata1" ]; then
    # A copy of another node's data comes before anything else.
    mkdir -p "$data"
else
    mariadbd --no-defaults --datadir="$data" --socket="$data/sock" --skip-networking \
        --wsrep-on=ON --wsrep-provider=/usr/lib/galera/libgalera_smm.so --wsrep-recover \
        --innodb-buffer-pool-size=64M --innodb-log-file-size=16M \
        --log-error="$home/recover.log" || true
    position=$(sed -n 's/.*WSREP: Recovered position: *//p' "$home/recover.log" | tail -n 1)
    rm -f "$home/recover.log"
    if [ -n "$position" ]; then
        set -- --wsrep-start-position="$position" "$@"
    fi
fi
exec mariadbd --no-defaults --datadir="$data" --socket="$data/sock" --pid-file="$data/pid" \
    --bind-address="$ip" --port="$port" --skip-name-resolve --binlog-format=ROW \
    --innodb-buffer-pool-size=64M --innodb-log-file-size=16M --innodb-autoinc-lock-mode=2 \
    --innodb-lock-wait-timeout=2 --wsrep-on=ON --wsrep-slave-threads=2 \
    --wsrep-provider=/usr/lib/galera/libgalera_smm.so --wsrep-cluster-name=danso \
    --wsrep-cluster-address="gcomm://$all" --wsrep-node-address="$ip" --wsrep-node-name="$name" \
    --wsrep-sst-method=rsync --wsrep-provider-options="gmcast.listen_addr=tcp://$ip:4567;\
evs.keepalive_period=PT0.5S;evs.suspect_timeout=PT2S;evs.inactive_timeout=PT4S;\
evs.install_timeout=PT4S;gcache.size=32M" "$@"
