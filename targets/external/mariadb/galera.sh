#!/bin/sh
# Runs a node of a Galera cluster: galera.sh DATA NAME IP PORT ALL_IPS [SERVER OPTION...]
#
# n1 founds the cluster when it has never run. Whoever has run before looks for its last position
# first, so that it is only told what it missed, and a server that aborts is started again: as the
# distribution's service does.
set -eu
home=$1 name=$2 ip=$3 port=$4 all=$5
shift 5
data=$home/db
PATH=$PATH:/usr/sbin

server() {
    mariadbd --no-defaults --datadir="$data" --socket="$data/sock" --pid-file="$data/pid" \
        --innodb-buffer-pool-size=64M --innodb-log-file-size=16M --wsrep-on=ON \
        --wsrep-provider=/usr/lib/galera/libgalera_smm.so "$@"
}

# As a member of the cluster.
member() {
    server --bind-address="$ip" --port="$port" --skip-name-resolve --binlog-format=ROW \
        --innodb-autoinc-lock-mode=2 --innodb-lock-wait-timeout=2 --wsrep-slave-threads=2 \
        --wsrep-cluster-name=danso --wsrep-cluster-address="gcomm://$all" \
        --wsrep-node-address="$ip" --wsrep-node-name="$name" --wsrep-sst-method=rsync \
        --wsrep-provider-options="gmcast.listen_addr=tcp://$ip:4567;evs.keepalive_period=PT0.5S;\
evs.suspect_timeout=PT2S;evs.inactive_timeout=PT4S;evs.install_timeout=PT4S;gcache.size=32M" "$@"
}

found() {
    rm -rf "$data"
    mariadb-install-db --no-defaults --datadir="$data" --auth-root-authentication-method=normal \
        --skip-test-db --skip-name-resolve >/dev/null
    cat >"$home/found.sql" <<SQL
CREATE USER IF NOT EXISTS danso@'%' IDENTIFIED BY 'danso';
GRANT ALL ON *.* TO danso@'%';
CREATE DATABASE IF NOT EXISTS test;
SQL
    touch "$home/made"
    member --wsrep-new-cluster --init-file="$home/found.sql" "$@"
}

again() {
    # Left by a transfer that was killed: its numbers are other processes' by now.
    rm -f "$data"/*.pid
    if [ ! -e "$data/ibdata1" ]; then
        # Another node's data comes before anything else.
        mkdir -p "$data"
        member "$@"
        return
    fi
    server --skip-networking --wsrep-recover --log-error="$home/recover.log" || true
    position=$(sed -n 's/.*WSREP: Recovered position: *//p' "$home/recover.log" | tail -n 1)
    rm -f "$home/recover.log"
    member ${position:+--wsrep-start-position="$position"} "$@"
}

ended=0
if [ "$name" = n1 ] && [ ! -e "$home/made" ]; then
    found "$@" || ended=$?
else
    again "$@" || ended=$?
fi
while [ "$ended" -gt 128 ]; do
    echo "galera.sh: the server ended with $ended" >&2
    sleep 1
    ended=0
    again "$@" || ended=$?
done
exit "$ended"
