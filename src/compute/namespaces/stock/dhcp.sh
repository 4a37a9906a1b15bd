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
    # With classless routes the router option does not count (RFC 3442).
    set -- ${staticroutes:-${router:+0.0.0.0/0 ${router%% *}}}
    while [ $# -ge 2 ]; do
        case "$interface $1 $2" in
        # The way to the world and the resolver are the first interface's.
        eth0\ *) ;;
        *\ 0.0.0.0/0\ *) shift 2; continue ;;
        esac
        case "$2" in
        0.0.0.0) ip route replace "$1" dev "$interface" ;;
        *) ip route replace "$1" via "$2" dev "$interface" ;;
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
