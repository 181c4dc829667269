#!/bin/sh
# Waits until the replicas of three nodes have what the primary has, and all sentinels know of all
# others. Before, a failover would lose everything, or come to nothing. The addresses are given.
for ip; do
    until redis-cli -h "$ip" info replication | grep -qE 'role:master|master_link_status:up'
    do sleep 0.1; done
    until redis-cli -h "$ip" -p 26379 info sentinel | grep -q 'status=ok,.*slaves=2,sentinels=3'
    do sleep 0.1; done
done
