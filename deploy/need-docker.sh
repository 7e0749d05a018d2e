#!/bin/sh
# Installs a Docker engine and Compose where they are missing. The test starts an
# engine of its own where none answers.
set -eu

if docker info >/dev/null 2>&1 || command -v dockerd >/dev/null || [ -x /usr/sbin/dockerd ]; then
	if docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null; then
		exit 0
	fi
fi

give_up() {
	echo "Docker or Compose is missing, and $1: install both" >&2
	exit 1
}

command -v apt-get >/dev/null || give_up "there is no apt-get here"
as_root=
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null || give_up "installing them takes root or sudo"
	as_root=sudo
fi
echo "Docker or Compose is missing: installing them with apt-get" >&2
$as_root apt-get update -qq || give_up "apt-get update failed"
# Debian names it docker-compose, Ubuntu docker-compose-v2.
compose=docker-compose
if apt-cache show docker-compose-v2 >/dev/null 2>&1; then compose=docker-compose-v2; fi
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io "$compose" iptables ||
	give_up "apt-get couldn't install them"
