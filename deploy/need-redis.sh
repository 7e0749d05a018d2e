#!/bin/sh
# Installs redis-server where it's missing. The tests start servers of their own
# from it, on unix sockets; they neither use nor touch one that runs already.
set -eu

if command -v redis-server >/dev/null; then
	exit 0
fi

give_up() {
	echo "redis-server is missing, and $1: install Redis 6.2 or newer so that redis-server is in the PATH" >&2
	exit 1
}

if command -v apt-get >/dev/null; then
	as_root=
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null || give_up "installing it takes root or sudo"
		as_root=sudo
	fi
	echo "redis-server is missing: installing it with apt-get" >&2
	$as_root apt-get update -qq || give_up "apt-get update failed"
	# `env` carries the variable through sudo.
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server ||
		give_up "apt-get couldn't install it"
elif command -v brew >/dev/null; then
	echo "redis-server is missing: installing it with brew" >&2
	brew install --quiet redis || give_up "brew couldn't install it"
else
	give_up "there is neither apt-get nor brew here"
fi

command -v redis-server >/dev/null || give_up "the package didn't bring it into the PATH"
