#!/bin/bash
# Derives the keys that each pair of processes shares from one master, which no process is given.
#   keys.sh MASTER            prints KEY_<A>_<B>=… for every pair, names in alphabetical order
# To rotate: print the keys of the new master too, give each process "new,old", restart them in any order, then drop the old.
set -euo pipefail
master=${1:?usage: keys.sh MASTER}
[ ${#master} -ge 32 ] || { echo "the master needs at least 32 characters; make one with: openssl rand -base64 32" >&2; exit 64; }
services=(campaigns gateway integrations webhooks)
for ((a = 0; a < ${#services[@]}; a++)); do
    for ((b = a + 1; b < ${#services[@]}; b++)); do
        one=${services[a]} two=${services[b]}
        key=$(printf 'switchboard internal key %s %s' "$one" "$two" | openssl dgst -sha256 -hmac "$master" -binary | openssl base64 -A)
        echo "KEY_${one^^}_${two^^}=$key"
    done
done
