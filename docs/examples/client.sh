#!/bin/bash
# A client for danso in the shell, with curl: a JSON line in for each operation, a JSON line out.
field() { sed -E "s/.*\"$1\":\"?([^\",}]*).*/\1/" <<<"$line"; }
say() { printf '{"op":%s,"type":"%s","value":%s,"error":"%s"}\n' "$(field op)" "$@"; }

while read -r line; do
    url="http://$(field address)/$(field key)"
    if [ "$(field f)" = read ]; then
        answer=$(curl -s -m 2 -w ' %{http_code}' "$url")
    else
        answer=$(curl -s -m 2 -w ' %{http_code}' -X PUT -d "$(field value)" "$url")
    fi
    case $(field f)${answer##* } in
        read200) say ok "${answer% *}" "" ;;
        read404) say ok null "" ;;
        write200) say ok null "" ;;
        *) say info null "http ${answer##* }" ;;
    esac
done
