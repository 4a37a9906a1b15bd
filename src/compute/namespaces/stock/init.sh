#!/bin/sh
# Process 1 of the stock image.
export PATH=/sbin:/bin HOME=/root
umask 022

shut_down() {
    trap '' TERM
    echo "init: shutting down"
    kill -TERM -1 2>/dev/null
    usleep 200000
    exit 0
}
trap shut_down TERM INT

ip link set dev lo up
for interface in /sys/class/net/eth*; do
    name=${interface##*/}
    # Options: host name, domain, MTU, search list, classless routes.
    (while :; do udhcpc -f -i "$name" -s /usr/share/udhcpc/default.script -A 1 -t 5 -T 1 -O hostname -O domain -O mtu -O search -O staticroutes; sleep 1; done) &
done
fogbank-user-data &

# Waiting also takes in processes whose parents are gone.
while :; do
    sleep 2147483647 &
    wait $!
done
