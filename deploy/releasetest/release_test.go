package releasetest

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// dist is what goreleaser has made.
const dist = "../../bin/dist"

func arch() string { return runtime.GOARCH }

// one returns the one file of dist that a pattern names.
func one(t *testing.T, pattern string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dist, pattern))
	if err != nil || len(paths) != 1 {
		t.Fatalf("%s: %d files, %v; make release-test makes them", pattern, len(paths), err)
	}
	return paths[0]
}

// version is that of what goreleaser has made.
func version(t *testing.T) string {
	t.Helper()
	var metadata struct{ Version string }
	text, err := os.ReadFile(filepath.Join(dist, "metadata.json"))
	if err == nil {
		err = json.Unmarshal(text, &metadata)
	}
	if err != nil || metadata.Version == "" {
		t.Fatalf("metadata.json: %v, version %q", err, metadata.Version)
	}
	return metadata.Version
}

// entry is a file of an archive.
type entry struct {
	mode    os.FileMode
	content []byte
}

// entries are the files of a tar, by their names.
func entries(t *testing.T, r io.Reader) map[string]entry {
	t.Helper()
	all := make(map[string]entry)
	for archive := tar.NewReader(r); ; {
		header, err := archive.Next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		if header.Typeflag == tar.TypeReg {
			all[path.Clean("/"+header.Name)] = entry{header.FileInfo().Mode().Perm(), content}
		}
		if header.Uid != 0 || header.Gid != 0 {
			t.Errorf("%s is user %d's and group %d's", header.Name, header.Uid, header.Gid)
		}
	}
}

// has reports as an error what files lack: names with their modes.
func has(t *testing.T, files map[string]entry, want map[string]os.FileMode) {
	t.Helper()
	for name, mode := range want {
		if e, ok := files[name]; !ok {
			t.Errorf("%s is missing", name)
		} else if e.mode != mode {
			t.Errorf("%s has mode %o, want %o", name, e.mode, mode)
		}
	}
}

// archived are the files of a platform's archive.
func archived(t *testing.T, platform string) map[string]entry {
	t.Helper()
	f, err := os.Open(one(t, "handout_"+version(t)+"_"+platform+".tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	return entries(t, unzipped)
}

func TestRelease_ArchivesHaveTheProgramsOfTheirPlatform(t *testing.T) {
	v := version(t)
	for _, platform := range []string{"linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64"} {
		t.Run(platform, func(t *testing.T) {
			files := archived(t, platform)
			top := "/handout-" + v + "/"
			has(t, files, map[string]os.FileMode{
				top + "handout": 0o755, top + "orderhistory": 0o755, top + "LICENSE": 0o644, top + "CHANGELOG.md": 0o644, top + "redis.conf": 0o644, top + "redis.acl": 0o644,
				top + "man/handout.1.gz": 0o644, top + "man/handout-key-create.1.gz": 0o644, top + "man/orderhistory-run.1.gz": 0o644,
				top + "completions/handout.bash": 0o644, top + "completions/_handout": 0o644, top + "completions/orderhistory.fish": 0o644,
				top + "systemd/handout-work.service": 0o644, top + "systemd/handout-.service.d/hardening.conf": 0o644,
				top + "systemd/handout.env": 0o600, top + "systemd/schedule.env": 0o600, top + "systemd/handout.sysusers.conf": 0o644, top + "systemd/handout.tmpfiles.conf": 0o644,
			})
			for _, program := range []string{"handout", "orderhistory"} {
				checkProgram(t, files[top+program].content, platform)
			}
			if platform == runtime.GOOS+"_"+runtime.GOARCH {
				program := filepath.Join(t.TempDir(), "handout")
				if err := os.WriteFile(program, files[top+"handout"].content, 0o755); err != nil {
					t.Fatal(err)
				}
				out, err := exec.CommandContext(t.Context(), program, "--version").CombinedOutput()
				if err != nil || !strings.HasPrefix(string(out), "handout v"+v+"\n") {
					t.Errorf("handout --version: %v, %q, want handout v%s", err, out, v)
				}
			}
		})
	}
}

// checkProgram reads in a program for which platform and how it was built.
func checkProgram(t *testing.T, content []byte, platform string) {
	t.Helper()
	info, err := buildinfo.Read(bytes.NewReader(content))
	if err != nil {
		t.Error(err)
		return
	}
	settings := make(map[string]string)
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if settings["GOOS"]+"_"+settings["GOARCH"] != platform || settings["CGO_ENABLED"] != "0" || settings["-trimpath"] != "true" {
		t.Errorf("%s: built with %v", info.Path, settings)
	}
}

func TestRelease_PackageHasUnitsAndSecretsOfRootAlone(t *testing.T) {
	for _, a := range []string{"amd64", "arm64"} {
		t.Run(a, func(t *testing.T) {
			deb := one(t, "handout_*_"+a+".deb")
			files := entries(t, strings.NewReader(run(t, "dpkg", "dpkg-deb", "--fsys-tarfile", deb)))
			want := map[string]os.FileMode{
				"/usr/bin/handout": 0o755, "/usr/bin/orderhistory": 0o755,
				"/usr/lib/systemd/system/handout-.service.d/hardening.conf": 0o644,
				"/usr/lib/sysusers.d/handout.conf":                          0o644, "/usr/lib/tmpfiles.d/handout.conf": 0o644,
				"/usr/share/man/man1/handout.1.gz": 0o644, "/usr/share/man/man1/handout-work.1.gz": 0o644, "/usr/share/man/man1/orderhistory.1.gz": 0o644,
				"/usr/share/bash-completion/completions/handout.bash": 0o644, "/usr/share/zsh/vendor-completions/_handout": 0o644,
				"/usr/share/fish/vendor_completions.d/handout.fish": 0o644, "/usr/share/doc/handout/copyright": 0o644,
				"/usr/share/handout/redis.conf": 0o644, "/usr/share/handout/redis.acl": 0o644, "/etc/handout/handout.env": 0o600,
			}
			for _, s := range services {
				want["/usr/lib/systemd/system/handout-"+s+".service"] = 0o644
				want["/etc/handout/"+s+".env"] = 0o600
			}
			has(t, files, want)
			checkProgram(t, files["/usr/bin/handout"].content, "linux_"+a)

			control := entries(t, strings.NewReader(run(t, "dpkg", "dpkg-deb", "--ctrl-tarfile", deb)))
			has(t, control, map[string]os.FileMode{"/control": 0o644, "/conffiles": 0o644, "/postinst": 0o755, "/prerm": 0o755})
			for name := range want {
				if kept := strings.Contains(string(control["/conffiles"].content), name+"\n"); kept != strings.HasPrefix(name, "/etc/") {
					t.Errorf("%s: dpkg keeps what an operator changed: %v", name, kept)
				}
			}
			for _, line := range []string{"Package: handout\n", "Architecture: " + a + "\n", "Recommends: ca-certificates\n"} {
				if !strings.Contains(string(control["/control"].content), line) {
					t.Errorf("control lacks %q:\n%s", line, control["/control"].content)
				}
			}
		})
	}
}

func TestRelease_ChecksumsAreOfEverything(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(dist, "checksums.txt"))
	if err != nil {
		t.Fatal(err)
	}
	listed := make(map[string]bool)
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		sum, name, _ := strings.Cut(lines.Text(), "  ")
		content, err := os.ReadFile(filepath.Join(dist, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := sha256.Sum256(content); hex.EncodeToString(got[:]) != sum {
			t.Errorf("%s: the checksum isn't its own", name)
		}
		listed[name] = true
	}
	for _, pattern := range []string{"*.tar.gz", "*.deb", "*.cdx.json"} {
		paths, err := filepath.Glob(filepath.Join(dist, pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(paths), err)
		}
		for _, p := range paths {
			if !listed[filepath.Base(p)] {
				t.Errorf("%s has no checksum", p)
			}
		}
	}
}

// The commands of docs/releasing.md, in a folder that has what one downloads.
func TestRelease_IsVerifiedAsThePageSays(t *testing.T) {
	page, err := os.ReadFile("../../docs/releasing.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(page), "```sh release\n")
	commands, _, ok := strings.Cut(after, "```\n")
	if !ok {
		t.Fatal("docs/releasing.md has no block")
	}
	dir := t.TempDir()
	for _, p := range []string{one(t, "checksums.txt"), one(t, "handout_*_linux_"+arch()+".tar.gz")} {
		run(t, "coreutils", "cp", p, dir)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-eu", "-c", commands)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), ".tar.gz: OK\n") || !strings.Contains(string(out), "\nhandout ") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestRelease_SaysWhatEachProgramIsMadeOf(t *testing.T) {
	for _, program := range []string{"handout", "orderhistory"} {
		for _, platform := range []string{"linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64"} {
			text, err := os.ReadFile(one(t, program+"_*_"+platform+".cdx.json"))
			if err != nil {
				t.Fatal(err)
			}
			var list struct {
				BOMFormat string
				Metadata  struct {
					Component struct{ Name, Version string }
				}
				Components []struct{ Name, Version string }
			}
			if err := json.Unmarshal(text, &list); err != nil {
				t.Fatal(err)
			}
			redis := false
			for _, c := range list.Components {
				redis = redis || c.Name == "github.com/redis/go-redis/v9"
			}
			if list.BOMFormat != "CycloneDX" || list.Metadata.Component.Version != version(t) || !redis {
				t.Errorf("%s, %s: %s, of %+v, %d modules, go-redis %v", program, platform, list.BOMFormat, list.Metadata.Component, len(list.Components), redis)
			}
		}
	}
}

// man itself reads the pages, and warns of what it doesn't know.
func TestRelease_ManReadsThePages(t *testing.T) {
	pages, err := filepath.Glob("../../bin/release/man/*.1.gz")
	if err != nil || len(pages) < 40 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	for _, page := range pages {
		cmd := exec.CommandContext(t.Context(), "man", "--warnings", "--encoding=UTF-8", "--local-file", "-Tutf8", page)
		var faults bytes.Buffer
		cmd.Stderr = &faults
		out, err := cmd.Output()
		if err != nil || faults.Len() > 0 || !strings.Contains(string(out), "EXIT STATUS") && !bytes.Contains(out, []byte("E\bE")) {
			t.Errorf("%s: %v %s (apt-get install man-db)", page, err, faults.String())
		}
	}
}

// inCask is a file of the archive that Homebrew installs.
var inCask = regexp.MustCompile(`(?m)^ *(?:manpage|\w+_completion) "(.*)"$|^ *rename "(.*?)",`)

func TestRelease_HomebrewFindsWhatItInstalls(t *testing.T) {
	cask, err := os.ReadFile(filepath.Join(dist, "homebrew/Casks/handout.rb"))
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(dist, "checksums.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(sums)) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		if strings.HasSuffix(name, ".tar.gz") && !strings.Contains(string(cask), sum) {
			t.Errorf("the cask doesn't know %s", name)
		}
	}
	files := archived(t, "darwin_arm64")
	installs := inCask.FindAllStringSubmatch(string(cask), -1)
	if len(installs) != 4*2+2+3 { // programs of each platform, pages, completions
		t.Errorf("the cask installs %q", installs)
	}
	for _, m := range installs {
		name := strings.ReplaceAll(m[1]+m[2], "#{version}", version(t))
		if _, ok := files["/"+name]; !ok {
			t.Errorf("the archive has no %s, which the cask installs", name)
		}
	}
}

// The image of a release is the one that deploy/Dockerfile builds.
func TestRelease_ImageIsThatOfTheDockerfile(t *testing.T) {
	last := func(name string) []string { // the lines of its last stage, without comments
		text, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for line := range strings.Lines(strings.ReplaceAll(string(text), "\\\n", "")) {
			line = strings.Join(strings.Fields(line), " ")
			if strings.HasPrefix(line, "FROM ") {
				lines = nil
			}
			if line != "" && line[0] != '#' && !strings.HasPrefix(line, "COPY ") && !strings.HasPrefix(line, "ARG ") && !strings.HasPrefix(line, "LABEL ") {
				lines = append(lines, line)
			}
		}
		return lines
	}
	built, released := last("Dockerfile"), last("Dockerfile.release")
	if strings.Join(built, "\n") != strings.Join(released, "\n") {
		t.Errorf("deploy/Dockerfile ends with\n%s\nand deploy/Dockerfile.release is\n%s", strings.Join(built, "\n"), strings.Join(released, "\n"))
	}
}

func TestRelease_ATagIsTheVersionAtTheTopOfTheChangelog(t *testing.T) {
	const first = "## 0.1.0 - 2026-11-29\n\n- The first.\n"
	for _, c := range []struct{ name, tag, changelog, want, wrong string }{
		{name: "the latest", tag: "v0.2.0", changelog: "# Changelog\n\n## Unreleased\n\n## 0.2.0 - 2026-12-01\n\n- A thing.\n\n### More\n\n- Two.\n\n" + first, want: "- A thing.\n\n### More\n\n- Two.\n"},
		{name: "no Unreleased", tag: "v0.1.0", changelog: first, want: "- The first.\n"},
		{name: "no heading", tag: "v0.2.0", changelog: "## Unreleased\n\n- A thing.\n\n" + first, wrong: `write "## 0.2.0 - `},
		{name: "an older one", tag: "v0.1.0", changelog: "## 0.2.0 - 2026-12-01\n\n- A thing.\n\n" + first, wrong: "the latest heading"},
		{name: "changes without a version", tag: "v0.1.0", changelog: "## Unreleased\n\n- Forgotten.\n\n" + first, wrong: "Unreleased"},
		{name: "no date", tag: "v0.1.0", changelog: "## 0.1.0\n\n- The first.\n", wrong: "the latest heading"},
		{name: "a longer version", tag: "v0.1", changelog: first, wrong: "the latest heading"},
		{name: "nothing said", tag: "v0.2.0", changelog: "## 0.2.0 - 2026-12-01\n\n" + first, wrong: "says nothing"},
		{name: "no v", tag: "0.1.0", changelog: first, wrong: "as in v0.2.0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			changelog := filepath.Join(t.TempDir(), "CHANGELOG.md")
			if err := os.WriteFile(changelog, []byte(c.changelog), 0o644); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), "sh", "../release-notes.sh", c.tag)
			cmd.Env = append(os.Environ(), "CHANGELOG="+changelog)
			out, err := cmd.CombinedOutput()
			if (err != nil) != (c.wrong != "") || !strings.Contains(string(out), c.wrong) || c.wrong == "" && string(out) != c.want {
				t.Errorf("%v, %q; want %q, or an error with %q", err, out, c.want, c.wrong)
			}
		})
	}
}
