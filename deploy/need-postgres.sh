#!/bin/sh
# Installs PostgreSQL's programs where they're missing. The tests start a server
# of their own from them, on a unix socket; they neither use nor touch one that
# runs already.
set -eu

found() {
	command -v initdb >/dev/null && return 0
	for f in /usr/lib/postgresql/*/bin/initdb; do
		[ -x "$f" ] && return 0
	done
	return 1
}

if found; then
	exit 0
fi

give_up() {
	echo "PostgreSQL is missing, and $1: install it so that initdb and postgres are in the PATH" >&2
	exit 1
}

if command -v apt-get >/dev/null; then
	as_root=
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null || give_up "installing it takes root or sudo"
		as_root=sudo
	fi
	echo "PostgreSQL is missing: installing it with apt-get" >&2
	$as_root apt-get update -qq || give_up "apt-get update failed"
	# `env` carries the variable through sudo.
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql ||
		give_up "apt-get couldn't install it"
elif command -v brew >/dev/null; then
	echo "PostgreSQL is missing: installing it with brew" >&2
	brew install --quiet postgresql || give_up "brew couldn't install it"
else
	give_up "there is neither apt-get nor brew here"
fi

found || give_up "the package didn't bring initdb"
