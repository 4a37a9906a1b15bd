#!/bin/sh
# The public key and the user-data from the metadata service, as cloud-init does it: with a session token
# (IMDSv2), the keys at every boot, the user-data once for an instance.
until [ -e /run/dhcp-eth0 ]; do usleep 20000; done

service=169.254.169.254
new_token() {
    printf 'PUT /latest/api/token HTTP/1.0\r\nHost: %s\r\nX-aws-ec2-metadata-token-ttl-seconds: 300\r\nContent-Length: 0\r\n\r\n' $service |
        nc -w 5 $service 80 | sed '1,/^\r*$/d'
}
# busybox's own wget -T crashes where it is linked statically.
get() { timeout 5 wget -q -O - --header "X-aws-ec2-metadata-token: $token" "http://$service/latest/$1" > /run/answer 2> /run/error; }
# Asks until there is an answer; that there is nothing is one, too.
insist() {
    tries=0
    until token=$(new_token) && get "$1"; do
        ! grep -q ' 404 ' /run/error || return 1
        tries=$((tries + 1))
        [ $tries -lt 60 ] || { echo "user-data: no answer from the metadata service" >&2; exit 1; }
        usleep 500000
    done
    cat /run/answer
}

id=$(insist meta-data/instance-id) || exit 1
mkdir -p /root/.ssh /var/lib/cloud
chmod 700 /root/.ssh
if key=$(insist meta-data/public-keys/0/openssh-key) && [ -n "$key" ]; then
    grep -qxF "$key" /root/.ssh/authorized_keys 2>/dev/null ||
        (umask 077; echo "$key" >> /root/.ssh/authorized_keys)
fi

[ "$(cat /var/lib/cloud/instance-id 2>/dev/null)" != "$id" ] || exit 0
insist user-data > /run/user-data
echo "$id" > /var/lib/cloud/instance-id
if [ "$(head -c 2 /run/user-data)" = '#!' ]; then
    mv /run/user-data /var/lib/cloud/user-data
    chmod 700 /var/lib/cloud/user-data
    /var/lib/cloud/user-data
    echo "user-data: ended with $?"
else
    echo "user-data: none to run"
fi
