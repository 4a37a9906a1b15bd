#!/bin/sh
# Process 1 of the stock image.
export PATH=/sbin:/bin HOME=/root
umask 022

# What opens /dev/console or /dev/stdout anew gets this pipe: the console itself is the host's to open.
mkfifo -m 622 /dev/console
(trap '' TERM INT; exec cat < /dev/console) &
exec > /dev/console 2>&1

shut_down() {
    trap '' TERM INT USR1 USR2
    echo "init: shutting down"
    kill -TERM -1 2>/dev/null
    usleep 200000
    exit 0
}
# USR1 and USR2 are what halt and poweroff send.
trap shut_down TERM INT USR1 USR2

# Interfaces come and go while the instance runs: each has a DHCP client for as long as it is the same one.
watch_interfaces() {
    mkfifo /run/never
    known=
    while :; do
        for name in $known; do
            eval "was=\$index_$name pid=\$client_$name"
            read -r index 2>/dev/null < "/sys/class/net/$name/ifindex" && [ "$index" = "$was" ] && continue
            kill "$pid" 2>/dev/null
            rm -f "/run/dhcp-$name"
            eval "index_$name="
            echo "init: $name is gone"
        done
        present=
        for interface in /sys/class/net/eth*; do
            name=${interface##*/}
            read -r index 2>/dev/null < "$interface/ifindex" || continue
            present="$present $name"
            eval "was=\$index_$name pid=\$client_$name"
            [ "$index" = "$was" ] && kill -0 "$pid" 2>/dev/null && continue
            # Options: host name, domain, MTU, search list, classless routes.
            udhcpc -f -i "$name" -s /usr/share/udhcpc/default.script -A 1 -t 5 -T 1 -O hostname -O domain -O mtu -O search -O staticroutes &
            eval "index_$name=$index client_$name=$!"
            echo "init: $name is there"
        done
        known=$present
        # Takes in clients that have ended, and waits for a second: both without a process.
        jobs > /dev/null
        read -t 1 -r nothing <> /run/never
    done
}

ip link set dev lo up
watch_interfaces &
fogbank-user-data &
fogbank-ipv6 &

# Waiting also takes in processes whose parents are gone.
while :; do
    sleep 2147483647 &
    wait $!
done
