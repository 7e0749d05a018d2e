#!/bin/sh
# Starts Redis with the users of redis.acl. Each has the password in the variable
# REDIS_PASSWORD_<USER>; the user health, with any password, may send PING alone.
#
#   redis-start.sh REDIS.ACL FILE-TO-WRITE REDIS.CONF [OPTION...]
set -eu
umask 077

acl=$1 users=$2
shift 2
# The append-only file is read as the user default, and transactions that it may not do
# are dropped (https://github.com/redis/redis/issues/14541): it has all rights, and is off.
cat >"$users" <<END
user default off resetpass ~* &* +@all
user health on nopass resetkeys resetchannels -@all +ping
END
while read -r word name on rights; do
	[ "$word" = user ] || continue
	eval "password=\${REDIS_PASSWORD_$(echo "$name" | tr '[:lower:]' '[:upper:]'):?}"
	# As Redis keeps it: no password stands in a file.
	echo "user $name $on #$(printf %s "$password" | sha256sum | cut -c 1-64) $rights" >>"$users"
done <"$acl"
exec redis-server "$@" --aclfile "$users"
