#!/bin/sh
# Installs systemd-nspawn where it's missing (apt-get), of the systemd that is there:
# another would replace that one, too.
set -eu

if command -v systemd-nspawn >/dev/null; then
	exit 0
fi
if ! command -v apt-get >/dev/null; then
	echo "systemd-nspawn is missing: install systemd-container, on a Linux with systemd" >&2
	exit 1
fi
installed=$(dpkg-query -W -f '${Version}' systemd 2>/dev/null || true)
apt-get install -y -q --no-install-recommends "systemd-container${installed:+=$installed}" ||
	{ apt-get update -q && apt-get install -y -q --no-install-recommends systemd-container; }
