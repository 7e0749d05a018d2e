#!/bin/sh
# After the package's files are there. Starts and restarts nothing: docs/upgrading.md
# says in which order that is done.
set -e
systemd-sysusers handout.conf
systemd-tmpfiles --create handout.conf
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
