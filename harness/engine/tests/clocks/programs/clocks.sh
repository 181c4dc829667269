# For every line read: the shell's own idea of the time, a subshell's and another program's.
while read -r _; do
    printf 'bash=%s printf=%(%s)T ' "$EPOCHREALTIME" -1
    (printf 'forked=%s ' "$EPOCHREALTIME")
    date +exec=%s.%N
done
