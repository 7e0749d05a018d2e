#!/bin/sh
# Before the programs are taken away, and not when a newer package replaces them.
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
	systemctl disable --now handout-work.service handout-listen.service handout-console.service handout-schedule.service
fi
