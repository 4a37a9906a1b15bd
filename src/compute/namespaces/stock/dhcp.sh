#!/bin/sh
# What udhcpc found out becomes so (udhcpc calls this with the event and the options in the environment).
case "$1" in
deconfig)
    ip link set dev "$interface" up
    ip -4 addr flush dev "$interface"
    ;;
bound | renew)
    [ -z "$mtu" ] || ip link set dev "$interface" mtu "$mtu"
    ip addr show dev "$interface" | grep -q "inet $ip/$mask " || {
        ip -4 addr flush dev "$interface"
        ip addr add "$ip/$mask" broadcast "${broadcast:-+}" dev "$interface"
    }
    # The way to the world and the resolver are the first interface's. What comes from the address of a further one leaves
    # by that, for elsewhere nobody would take it: by a table of its own.
    table=
    [ "$interface" = eth0 ] || {
        table=$((100 + ${interface#eth}))
        while ip rule del table $table 2>/dev/null; do :; done
        ip rule add from "$ip" table $table
    }
    # With classless routes the router option does not count (RFC 3442).
    set -- ${staticroutes:-${router:+0.0.0.0/0 ${router%% *}}}
    while [ $# -ge 2 ]; do
        case "$2" in
        0.0.0.0) ip route replace "$1" dev "$interface" ${table:+table $table} ;;
        *) ip route replace "$1" via "$2" dev "$interface" ${table:+table $table} ;;
        esac
        shift 2
    done
    [ "$interface" != eth0 ] || {
        [ -z "${search:-$domain}" ] || echo "search ${search:-$domain}"
        for server in $dns; do echo "nameserver $server"; done
    } > /etc/resolv.conf
    if [ -n "$hostname" ] && [ "$interface" = eth0 ]; then
        hostname "$hostname"
        echo "$hostname" > /etc/hostname
        printf '127.0.0.1 localhost\n%s %s%s\n' "$ip" "${domain:+$hostname.$domain }" "$hostname" > /etc/hosts
    fi
    echo "dhcp: $interface $ip/$mask via ${router:-nobody}, $hostname"
    : > "/run/dhcp-$interface"
    ;;
esac
