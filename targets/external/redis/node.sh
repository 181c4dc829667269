#!/bin/sh
# Runs Redis and a sentinel beside it, in the data directory, as node $1 of three. Its files are in
# $2; node 1, the first primary, is at $3:$4.
#
# Both programs rewrite their files, which must outlive a restart: they are put there once. Of a
# primary's replicas sentinels hear every 10 s, so they are started when there are some.
set -eu
if [ ! -e redis.conf ]; then
    cp "$2/redis.conf" .
    [ "$1" = 1 ] || echo "replicaof $3 $4" >>redis.conf
fi
(
    if [ ! -e sentinel.conf ]; then
        until redis-cli -h "$3" -p "$4" info replication | grep -q connected_slaves:2
        do sleep 0.1; done
        cp "$2/sentinel.conf" .
    fi
    exec redis-sentinel sentinel.conf
) &
exec redis-server redis.conf
