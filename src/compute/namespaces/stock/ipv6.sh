#!/bin/sh
# busybox has no client for DHCPv6: where a router says by advertisement that there is IPv6, each interface gets the addresses
# that the metadata service has for it, and loses those that it has no more.
until [ -e /run/dhcp-eth0 ]; do usleep 20000; done

service=169.254.169.254
get() {
    token=$(printf 'PUT /latest/api/token HTTP/1.0\r\nHost: %s\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\nContent-Length: 0\r\n\r\n' $service |
        nc -w 5 $service 80 | sed '1,/^\r*$/d')
    timeout 5 wget -q -O - --header "X-aws-ec2-metadata-token: $token" "http://$service/latest/meta-data/$1" 2>/run/error-ipv6
}

follow() {
    read -r mac < "/sys/class/net/$1/address" || return
    # That there are none is an answer, and none is not.
    wanted=$(get "network/interfaces/macs/$mac/ipv6s") || grep -q ' 404 ' /run/error-ipv6 || return
    # What comes from an interface's address leaves by that interface, for elsewhere nobody would take it.
    gateway=$(ip -6 route show default dev "$1" | sed -n 's/.* via \([^ ]*\).*/\1/p' | head -n 1)
    table=$((100 + ${1#eth}))
    had=$(ip -6 addr show dev "$1" scope global | sed -n 's|.*inet6 \([^ ]*\)/128 .*|\1|p')
    for address in $wanted; do
        echo "$had" | grep -qxF "$address" || {
            ip -6 rule del from "$address" table $table 2>/dev/null
            ip -6 rule add from "$address" table $table
            ip -6 route replace default via "$gateway" dev "$1" table $table
            ip -6 addr add "$address/128" dev "$1" && echo "ipv6: $1 $address"
        }
    done
    for address in $had; do
        echo "$wanted" | grep -qxF "$address" || {
            ip -6 addr del "$address/128" dev "$1"
            ip -6 rule del from "$address" table $table
        }
    done
    # busybox shows the routes of all tables: while this is there, the router still seems to be.
    [ -n "$wanted" ] || ip -6 route del default dev "$1" table $table 2>/dev/null
}

while :; do
    for interface in /sys/class/net/eth*; do
        name=${interface##*/}
        [ -z "$(ip -6 route show default dev "$name" 2>/dev/null)" ] || follow "$name"
    done
    sleep 2
done
