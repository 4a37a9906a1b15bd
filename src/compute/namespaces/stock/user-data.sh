#!/bin/sh
# The public key and the user-data from the metadata service, as cloud-init does it: with a session token
# (IMDSv2), the keys at every boot, the user-data once for an instance.
until [ -e /run/dhcp-eth0 ]; do usleep 20000; done

service=169.254.169.254
token=$(printf 'PUT /latest/api/token HTTP/1.0\r\nHost: %s\r\nX-aws-ec2-metadata-token-ttl-seconds: 300\r\nContent-Length: 0\r\n\r\n' $service |
    nc -w 5 $service 80 | sed '1,/^\r*$/d')
# busybox's own wget -T crashes where it is linked statically.
get() { timeout 5 wget -q -O - --header "X-aws-ec2-metadata-token: $token" "http://$service/latest/$1"; }

id=$(get meta-data/instance-id) || { echo "user-data: no answer from the metadata service"; exit 1; }
mkdir -p /root/.ssh /var/lib/cloud
chmod 700 /root/.ssh
if get meta-data/public-keys/0/openssh-key > /run/key 2>/dev/null && [ -s /run/key ]; then
    (umask 077; cat /run/key > /root/.ssh/authorized_keys)
fi

[ "$(cat /var/lib/cloud/instance-id 2>/dev/null)" != "$id" ] || exit 0
if get user-data > /var/lib/cloud/user-data 2>/dev/null && [ "$(head -c 2 /var/lib/cloud/user-data)" = '#!' ]; then
    chmod 700 /var/lib/cloud/user-data
    /var/lib/cloud/user-data
    echo "user-data: ended with $?"
else
    echo "user-data: none to run"
fi
echo "$id" > /var/lib/cloud/instance-id
