package releasetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// block is one of the runbook's that are for a machine with systemd.
var block = regexp.MustCompile("(?ms)^```sh systemd\n(.*?)^```\n")

// afterBlock are checks of ours: each follows the runbook's block that has its text.
var afterBlock = map[string]string{
	"systemctl enable --now handout-listen": `
		# Not root, no capability, no way to more, a filter of system calls.
		for unit in listen work console; do
			pid=$(systemctl show --property MainPID --value handout-$unit)
			test "$(stat -c %U /proc/$pid)" = handout
			# Its own file goes before what stands in all's: a Redis user of its own.
			grep -qz "^REDIS_URL=redis://$unit:" /proc/$pid/environ
			grep -qx 'CapEff:	0000000000000000' /proc/$pid/status
			grep -qx 'NoNewPrivs:	1' /proc/$pid/status
			grep -qx 'Seccomp:	2' /proc/$pid/status
		done
		# The files that have secrets are root's.
		for file in /etc/handout/*.env; do test "$(stat -c '%a %U' $file)" = '600 root'; done
		exec 3<>/dev/tcp/127.0.0.1/8070
		printf 'GET /metrics HTTP/1.0\r\n\r\n' >&3
		grep -q '^process_start_time_seconds' <&3`,
	"handout report order-history-2026-11 --follow": `
		handout verify order-history-2026-11
		handout report order-history-2026-11 --json | grep -q '"state":"done"'`,
	"enable --now handout-schedule": `
		until handout health http://127.0.0.1:8071/readyz; do sleep 1; done`,
	"/etc/handout/secrets/TELESIGN_API_KEY\n": `
		until handout health http://127.0.0.1:8070/readyz; do sleep 1; done
		pid=$(systemctl show --property MainPID --value handout-work)
		if tr '\0' '\n' < /proc/$pid/environ | grep '^TELESIGN_API_KEY=.'; then exit 1; fi
		# It sends with the key from the file: the simulator takes no other.
		TELESIGN_API_KEY_FILE=/etc/handout/secrets/TELESIGN_API_KEY TELESIGN_API_KEY= handout doctor
		sed 's/order-history-2026-11/with-a-credential/' campaign.yaml > second.yaml
		TELESIGN_API_KEY_FILE=/etc/handout/secrets/TELESIGN_API_KEY TELESIGN_API_KEY= handout submit second.yaml list.csv
		handout report with-a-credential --follow
		# What crashes is started again.
		systemctl kill --signal SIGKILL --kill-whom main handout-work
		until test "$(systemctl show --property NRestarts --value handout-work)" = 1; do sleep 0.2; done
		until handout health http://127.0.0.1:8070/readyz; do sleep 1; done`,
	"systemctl disable --now": `
		for unit in listen work console schedule; do if systemctl cat handout-$unit; then exit 1; fi; done
		test -f /etc/handout/handout.env
		apt-get purge --yes handout
		test ! -e /etc/handout/handout.env`,
	"tar -xzf": `
		test "$(stat -c '%a %U %G' /etc/handout/schedules)" = '750 root handout'
		# What the shell has from before.
		env | grep -E '^(REDIS_URL|TELESIGN_CUSTOMER_ID|TELESIGN_API_KEY)=' >> /etc/handout/handout.env
		systemctl start handout-work
		until handout health http://127.0.0.1:8070/readyz; do sleep 1; done
		systemctl stop handout-work
		test "$(systemctl show --property Result --value handout-work)" = success
		man -w handout-submit`,
}

// units of the container: the vendor's double, and what runs the script.
const (
	vendorUnit = `[Service]
ExecStart=/usr/local/bin/vendor simulate
Environment=TELESIGN_CUSTOMER_ID=12345678-9ABC-DEF0-1234-56789ABCDEF0 TELESIGN_API_KEY=dGhlIGtleSBvZiB5b3VyIGFjY291bnQ= HANDOUT_SIMULATE_SPEED=1000
`
	scriptUnit = `[Unit]
Wants=vendor.service
After=vendor.service basic.target
Requires=basic.target
[Service]
Type=oneshot
TimeoutStartSec=3min
WorkingDirectory=/root/here
ExecStart=/bin/bash -eux /result/script
StandardOutput=file:/result/out
StandardError=file:/result/out
Environment=HOME=/root DEBIAN_FRONTEND=noninteractive TELESIGN_URL=http://127.0.0.1:8060 HANDOUT_ALLOW_UNSAFE=TELESIGN_URL
ExecStopPost=/bin/sh -c 'journalctl --no-pager --boot > /result/journal; test "$EXIT_STATUS" = 0 && touch /result/passed; systemctl --no-block exit 0'
`
	// What only a rehearsal has; a variable of handout.env's would be overridden.
	rehearsal = `[Service]
Environment=TELESIGN_URL=http://127.0.0.1:8060 HANDOUT_ALLOW_UNSAFE=TELESIGN_URL HANDOUT_RECEIPT_DEADLINE=10s
`
)

// container runs what it is given beside the machine's own files and in memory, so that
// none of them changes: systemd as PID 1, and no network but a loopback.
const container = `
mount -t tmpfs -o size=1g,mode=755 none "$WORK/memory"
mkdir "$WORK/memory/upper" "$WORK/memory/work" "$WORK/memory/root"
mount -t overlay -o "lowerdir=/,upperdir=$WORK/memory/upper,workdir=$WORK/memory/work" none "$WORK/memory/root"
cd "$WORK/memory/root"
cp -r "$WORK/root/." .
# Nothing that the machine itself mounts or starts, no user that it has already, and
# packages as installed: there is no network to fetch others from.
: > etc/fstab
rm -rf var/lib/apt/lists/* etc/systemd/system/*.wants etc/handout
exec systemd-nspawn --quiet --register=no --keep-unit --private-network --console=pipe \
	--machine=handout-test --directory="$PWD" --bind="$WORK/result:/result" --boot systemd.unit=script.service
`

// TestRelease_RunsUnderSystemdAsTheRunbookSays installs the package in a container, runs
// the runbook's commands as they stand there, one after the other, and looks after some
// of them whether what they say is so.
func TestRelease_RunsUnderSystemdAsTheRunbookSays(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("systemd-nspawn needs root: sudo make release-test")
	}
	if _, err := exec.LookPath("systemd-nspawn"); err != nil {
		t.Fatal("systemd-nspawn is missing: apt-get install systemd-container")
	}
	work := t.TempDir()
	here := filepath.Join(work, "root/root/here")
	for _, dir := range []string{"memory", "result", "root/etc/systemd/system/handout-.service.d", "root/root/here"} {
		if err := os.MkdirAll(filepath.Join(work, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(here, os.DirFS("../../docs/example")); err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"handout_*_" + arch() + ".deb", "handout_*_linux_" + arch() + ".tar.gz"} {
		path := one(t, pattern)
		run(t, "coreutils", "cp", path, here)
	}
	system := filepath.Join(work, "root/etc/systemd/system")
	// Not the package's own, which the runbook installs and removes.
	run(t, "coreutils", "install", "-D", "../../bin/handout", filepath.Join(work, "root/usr/local/bin/vendor"))
	for path, text := range map[string]string{
		filepath.Join(system, "vendor.service"):                       vendorUnit,
		filepath.Join(system, "script.service"):                       scriptUnit,
		filepath.Join(system, "handout-.service.d/zz-rehearsal.conf"): rehearsal,
		filepath.Join(work, "result/script"):                          script(t),
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}

	cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "--propagation", "private", "sh", "-eu", "-c", container)
	cmd.Env = append(os.Environ(), "WORK="+work)
	cmd.WaitDelay = 10 * time.Second
	printed, err := cmd.CombinedOutput()
	_, passed := os.Stat(filepath.Join(work, "result/passed"))
	if err == nil && passed == nil {
		return
	}
	t.Errorf("the container: %v\n%s", err, last(string(printed), 40))
	for _, name := range []string{"out", "journal"} {
		text, err := os.ReadFile(filepath.Join(work, "result", name))
		t.Errorf("%s: %v\n%s", name, err, last(string(text), 60))
	}
}

// script is the runbook's blocks, each with what checks it.
func script(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := block.FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 5 {
		t.Fatalf("docs/operating.md has %d blocks for systemd", len(blocks))
	}
	var s strings.Builder
	s.WriteString("PS4='+ \\t '\n")
	left := len(afterBlock)
	for _, b := range blocks {
		s.WriteString(b[1])
		for text, check := range afterBlock {
			if strings.Contains(b[1], text) {
				s.WriteString(check + "\n")
				left--
			}
		}
	}
	if left != 0 {
		t.Fatalf("%d checks found no block, or too many", left)
	}
	return s.String()
}

func last(text string, lines int) string {
	all := strings.Split(text, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
