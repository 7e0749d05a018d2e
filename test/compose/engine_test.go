//go:build compose

package compose_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// state is where an engine of the test's own keeps everything. It has one name, so that
// a run finds what a run before it that was killed has left.
var state = filepath.Join(os.TempDir(), "handout-compose-test")

// engines are the ways to start one, the usual one first: a kernel may lack what
// iptables, or overlays, take.
var engines = [][]string{{}, {"--storage-driver=vfs"}, {"--iptables=false"}, {"--iptables=false", "--storage-driver=vfs"}}

// engine returns the environment by which docker finds its engine: the one that answers
// already, else one that ends with the test.
func engine(t *testing.T) []string {
	t.Helper()
	if exec.Command("docker", "info").Run() == nil {
		t.Log("the engine: the one that runs here")
		return os.Environ()
	}
	endLeft(t)
	socket := "unix://" + filepath.Join(state, "docker.sock")
	env := append(os.Environ(), "DOCKER_HOST="+socket, "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	for _, options := range engines {
		if start(t, env, append([]string{"--host", socket, "--data-root", state + "/data", "--exec-root", state + "/exec", "--pidfile", state + "/pid"}, options...)) {
			t.Log("the engine: dockerd", strings.Join(options, " "))
			return env
		}
	}
	t.Fatalf("dockerd doesn't start here in any of the ways %q", engines)
	return nil
}

// start reports whether dockerd answers with these options.
func start(t *testing.T, env, options []string) bool {
	t.Helper()
	if err := os.MkdirAll(state, 0o700); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(state, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	d := exec.Command("dockerd", options...)
	d.Env, d.Stdout, d.Stderr = env, log, log
	d.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the test, which takes all down first
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = d.Wait(); close(ended) }()
	end := func() {
		_ = d.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(time.Minute):
			_ = d.Process.Kill()
			<-ended
		}
		if err := os.RemoveAll(state); err != nil {
			t.Error(err)
		}
	}
	for range 300 {
		info := exec.Command("docker", "info")
		info.Env = env
		if info.Run() == nil {
			t.Cleanup(end)
			return true
		}
		select {
		case <-ended:
		case <-time.After(100 * time.Millisecond):
			continue
		}
		break
	}
	said, _ := os.ReadFile(log.Name())
	t.Logf("dockerd %s: %s", strings.Join(options, " "), last(string(said), 5))
	end()
	return false
}

// endLeft ends the engine of a run before this one that was killed.
func endLeft(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(state, "pid"))
	if err != nil {
		return
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	alive := func() bool {
		command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		return err == nil && strings.Contains(string(command), state) // the number may be another's by now
	}
	if alive() {
		_ = syscall.Kill(pid, syscall.SIGTERM)
	}
	for range 600 {
		if !alive() {
			if err := os.RemoveAll(state); err != nil {
				t.Fatal(err)
			}
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("dockerd of a run before doesn't end: process %d", pid)
}

func last(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

const (
	redisImage = "redis:7.4-bookworm"
	baseImage  = "gcr.io/distroless/static-debian12:nonroot"
	goImage    = "golang:1.26-bookworm"
	// standIn labels what isn't the real image.
	standIn = "dev.handout.stand-in"
)

// named is how the folder's files name an image: with its digest, where make pin-images
// has pinned it.
func (r *rig) named(image string) string {
	r.t.Helper()
	for _, path := range namers {
		if name := pinnable(image).FindString(r.read(filepath.Join(r.dir, path))); name != "" {
			return name
		}
	}
	r.t.Fatalf("none of %q names %s", namers, image)
	return ""
}

// namers are the files that name images, of those that the page's commands use.
var namers = []string{"docker-compose.yml", "deploy/Dockerfile", "deploy/Dockerfile.local"}

func pinnable(image string) *regexp.Regexp {
	return regexp.MustCompile(regexp.QuoteMeta(image) + `(@sha256:[0-9a-f]{64})?`)
}

// pulled reports whether the real image is there.
func (r *rig) pulled(image string) bool {
	r.t.Helper()
	image = r.named(image)
	if out, err := r.try("docker", "image", "inspect", "--format", `{{index .Config.Labels "`+standIn+`"}}`, image); err == nil && strings.TrimSpace(out) == "" {
		return true
	}
	_, err := r.try("docker", "pull", "--quiet", image)
	return err == nil
}

// base brings the images that handout's builds on and runs beside. It notes which of them
// are stand-ins.
func (r *rig) base() {
	r.t.Helper()
	if !r.pulled(redisImage) {
		r.stand(redisImage, []string{"redis-server", "redis-cli", "sh", "cat", "grep", "sha256sum", "cut", "tr"}, nil)
	}
	if !r.pulled(baseImage) {
		r.stand(baseImage, nil, []string{"/etc/ssl/certs/ca-certificates.crt", "/usr/share/zoneinfo"})
	}
	if r.local = !r.pulled(goImage); r.local {
		r.untried = append(r.untried, goImage+", so deploy/Dockerfile: the image was built by deploy/Dockerfile.local")
	}
}

// stand makes an image of programs of this machine, with their libraries, and files. It
// has no digest that the folder's files could name.
func (r *rig) stand(image string, programs, files []string) {
	r.t.Helper()
	for _, path := range namers {
		path = filepath.Join(r.dir, path)
		r.write(path, pinnable(image).ReplaceAllString(r.read(path), image))
	}
	r.untried = append(r.untried, image+": it was a stand-in made of files of this machine")
	r.t.Cleanup(func() { r.cleanup("docker", "image", "rm", "--force", image) })
	const build = `set -eu
mkdir -p "$1/bin" "$1/etc" "$1/data" "$1/tmp"
printf 'root:x:0:0::/:/bin/sh\nredis:x:999:999::/data:/bin/sh\nnonroot:x:65532:65532::/:/bin/sh\n' >"$1/etc/passwd"
printf 'root:x:0:\nredis:x:999:\nnonroot:x:65532:\n' >"$1/etc/group"
chown 999:999 "$1/data"; chmod 1777 "$1/tmp"
for program in $2; do
	path=$(command -v "$program")
	cp -L "$path" "$1/bin/$program"
	for library in $(ldd "$path" | grep -o '/[^ ]*'); do
		mkdir -p "$1$(dirname "$library")"; cp -L "$library" "$1$library"
	done
done
for file in $3; do
	mkdir -p "$1$(dirname "$file")"; cp -rL "$file" "$1$file"
done
tar -C "$1" -c . | docker import --change 'ENV PATH=/bin' --change "LABEL $5=true" - "$4"`
	r.run("sh", "-c", build, "sh", r.t.TempDir(), strings.Join(programs, " "), strings.Join(files, " "), image, standIn)
}

// cleanup runs a command after the test's own context has ended. Of a test that failed it
// shows what the command says.
func (r *rig) cleanup(name string, args ...string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	out, err := r.command(ctx, name, args...).CombinedOutput()
	if err != nil {
		r.t.Errorf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	if err != nil || r.t.Failed() {
		r.t.Log(string(out))
	}
}
