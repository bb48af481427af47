#!/bin/bash
# Derives the keys that each pair of processes shares from one master, which no process is given.
#   keys.sh < FILE, keys.sh FILE, or keys.sh alone, which asks for the master
# Prints KEY_<A>_<B>=… for every pair, names in alphabetical order.
# To rotate: print the keys of the new master too, give each process "new,old", restart them in any order, then drop the old.
# The master is an argument of no program, this one's included: arguments stand in the list of processes for everyone to read.
set -euo pipefail
export LC_ALL=C

if [ $# -gt 1 ]; then
    echo "usage: keys.sh [FILE]    the file, or standard input, holds the master" >&2
    exit 64
elif [ $# = 1 ] && [ -f "$1" ]; then
    master=$(< "$1")
elif [ $# = 1 ]; then
    echo "keys.sh: there is no file of this name; the master itself is not taken as an argument" >&2
    exit 64
elif [ -t 0 ]; then
    read -rsp "Master: " master
    echo >&2
else
    master=$(cat)
fi
[ ${#master} -ge 32 ] || { echo "the master needs at least 32 characters; make one with: openssl rand -base64 32" >&2; exit 64; }

sha256() { openssl dgst -sha256 -binary; }
hex() { od -An -v -tx1 | tr -d ' \n'; }
# bytes HEX [MASK]: what HEX spells, each byte XORed with MASK
bytes() {
    local index byte mask=${2:-0} text=
    for ((index = 0; index < ${#1}; index += 2)); do
        printf -v byte '\\x%02x' "$((16#${1:index:2} ^ mask))"
        text+=$byte
    done
    printf '%b' "$text"
}

# HMAC-SHA256 (RFC 2104), written out because openssl takes its key as an argument only.
key=$(printf %s "$master" | hex)
[ ${#key} -le 128 ] || key=$(printf %s "$master" | sha256 | hex)
while [ ${#key} -lt 128 ]; do key+=00; done

services=(campaigns gateway integrations webhooks)
for ((a = 0; a < ${#services[@]}; a++)); do
    for ((b = a + 1; b < ${#services[@]}; b++)); do
        one=${services[a]} two=${services[b]}
        inner=$({ bytes "$key" 0x36; printf 'switchboard internal key %s %s' "$one" "$two"; } | sha256 | hex)
        echo "KEY_${one^^}_${two^^}=$({ bytes "$key" 0x5c; bytes "$inner"; } | sha256 | openssl base64 -A)"
    done
done
