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
