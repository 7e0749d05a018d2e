// Package releasetest holds what a release installs to what the programs that use it
// make of it: systemd's own tools, dpkg, man. It is a module of its own, so that `make
// test` needs none of them; `make units-test` and `make release-test` run it.
package releasetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// services are handout's, each with handout.env and an environment file of its own.
var services = []string{"work", "listen", "console", "schedule"}

// maxExposure is what systemd-analyze may find each unit exposed to, in tenths of 10.0.
// What is left of it in systemd 252 is the network, which they are for, /proc/stat, which
// metrics read, and a root and users that are the machine's.
const maxExposure = "14"

// units copies the units to a folder, as systemd finds them installed, with the program
// that was built: an ExecStart that isn't there is a fault.
func units(t *testing.T) string {
	t.Helper()
	program, err := filepath.Abs("../../bin/handout")
	if err == nil {
		_, err = os.Stat(program)
	}
	if err != nil {
		t.Fatal("make build first: ", err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../systemd")); err != nil {
		t.Fatal(err)
	}
	for _, s := range services {
		path := filepath.Join(dir, "handout-"+s+".service")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		installed := "ExecStart=/usr/bin/handout " + s + "\n"
		if !strings.Contains(string(text), installed) {
			t.Errorf("%s hasn't %s", path, installed)
		}
		text = []byte(strings.Replace(string(text), installed, "ExecStart="+program+" "+s+"\n", 1))
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// run returns what a program prints; install is the package that has it.
func run(t *testing.T, install, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing: apt-get install %s", name, install)
	}
	out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestUnits_SystemdReadsThemWithoutAWord(t *testing.T) {
	dir := units(t)
	for _, s := range services {
		if out := run(t, "systemd", "systemd-analyze", "verify", "--man=no", filepath.Join(dir, "handout-"+s+".service")); out != "" {
			t.Errorf("%s: %s", s, out)
		}
	}
}

func TestUnits_AreExposedToLittle(t *testing.T) {
	dir := units(t)
	for _, s := range services {
		run(t, "systemd", "systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold="+maxExposure,
			filepath.Join(dir, "handout-"+s+".service"))
	}
}

func TestUnits_WithoutTheirHardeningAreExposed(t *testing.T) {
	dir := units(t)
	if err := os.RemoveAll(filepath.Join(dir, "handout-.service.d")); err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(dir, "handout-work.service")
	if out, err := exec.CommandContext(t.Context(), "systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold="+maxExposure, unit).CombinedOutput(); err == nil {
		t.Errorf("what measures the exposure doesn't see that nothing is hardened:\n%s", out)
	}
}

// The user and the folders are those that the units name.
func TestUnits_HaveTheUserAndTheFoldersTheyName(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"etc", "usr/lib/sysusers.d", "usr/lib/tmpfiles.d"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for from, to := range map[string]string{
		"handout.sysusers.conf": "usr/lib/sysusers.d/handout.conf", "handout.tmpfiles.conf": "usr/lib/tmpfiles.d/handout.conf",
	} {
		text, err := os.ReadFile(filepath.Join("../systemd", from))
		if err == nil {
			err = os.WriteFile(filepath.Join(root, to), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	run(t, "systemd", "systemd-sysusers", "--root="+root, "handout.conf")
	run(t, "systemd", "systemd-tmpfiles", "--root="+root, "--create", "handout.conf")
	users, err := os.ReadFile(filepath.Join(root, "etc/passwd"))
	if err != nil || !strings.HasPrefix(string(users), "handout:") || !strings.Contains(string(users), "nologin") {
		t.Errorf("users: %s %v", users, err)
	}
	for dir, mode := range map[string]os.FileMode{"schedules": 0o750, "secrets": 0o700} {
		info, err := os.Stat(filepath.Join(root, "etc/handout", dir))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", dir, info, err)
		}
	}
}
