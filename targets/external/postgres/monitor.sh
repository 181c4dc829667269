#!/bin/sh
# Watches PostgreSQL nodes and promotes a standby when no primary has answered for two seconds:
#
#     monitor.sh PORT IP IP
#
# As naive as it looks: it does not fence the primary it gives up on.
set -u
port=$1
shift
ask() { timeout 1 psql -h "$1" -p "$port" -U postgres -Atqc "$2" 2>/dev/null; }
now() { date +%s; }

echo "monitor.sh: watching $*"
seen=0
while sleep 0.3; do
    primary='' standby=''
    for ip in "$@"; do
        case $(ask "$ip" 'SELECT pg_is_in_recovery()') in
            f) primary=$ip ;;
            t) standby=$ip ;;
        esac
    done
    if [ -n "$primary" ]; then
        seen=$(now)
    elif [ -n "$standby" ] && [ "$seen" -gt 0 ] && [ $(($(now) - seen)) -gt 2 ]; then
        echo "monitor.sh: no primary since $seen: promoting $standby"
        ask "$standby" 'SELECT pg_promote(false)'
        seen=$(now)
    fi
done
