#!/bin/sh
# Installs Chromium where it's missing. The tests start one of their own, without
# a window and with a profile that is thrown away.
set -eu

found() {
	for name in chromium chromium-browser google-chrome google-chrome-stable; do
		if command -v "$name" >/dev/null; then
			return 0
		fi
	done
	return 1
}

if found; then
	exit 0
fi

give_up() {
	echo "chromium is missing, and $1: install Chromium so that chromium is in the PATH" >&2
	exit 1
}

if command -v apt-get >/dev/null; then
	as_root=
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null || give_up "installing it takes root or sudo"
		as_root=sudo
	fi
	echo "chromium is missing: installing it with apt-get" >&2
	$as_root apt-get update -qq || give_up "apt-get update failed"
	# `env` carries the variable through sudo.
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core ||
		give_up "apt-get couldn't install it"
else
	give_up "there is no apt-get here"
fi

found || give_up "the package didn't bring it into the PATH"
