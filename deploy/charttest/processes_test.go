package charttest

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
)

// handout is the program: the one in the folder that TEST_PROGRAMS names, where make has
// built it, else one that is built here.
var handout = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv("TEST_PROGRAMS"); dir != "" {
		return filepath.Join(dir, "handout"), nil
	}
	var err error
	if built, err = os.MkdirTemp("", "charttest-"); err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-o", built, "./cmd/handout")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build handout: %w\n%s", err, out)
	}
	return filepath.Join(built, "handout"), nil
})

var built string // the folder, which is removed at the end

func TestMain(m *testing.M) {
	if name := filepath.Base(os.Args[0]); name == "helm" || name == "kubectl" {
		if err := standIn(name, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	status := m.Run()
	if built != "" {
		_ = os.RemoveAll(built)
	}
	os.Exit(status)
}

func program(t *testing.T) string {
	t.Helper()
	path, err := handout()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// variable is one that handout reads.
type variable struct{ Name, Default, Description string }

func (v variable) secret() bool { return strings.Contains(v.Description, v.Name+"_FILE") }

// variables asks the program.
func variables(t *testing.T) []variable {
	t.Helper()
	out, err := exec.Command(program(t), "config", "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []variable
	if err := json.Unmarshal(out, &all); err != nil || len(all) < 50 {
		t.Fatal(err, len(all))
	}
	return all
}

// environment is a container's, as Kubernetes makes it of a Secret.
func environment(t *testing.T, c *core.Container, secret map[string]string) map[string]string {
	t.Helper()
	env := make(map[string]string)
	for _, e := range c.Env {
		value := e.Value
		if e.ValueFrom != nil {
			ref := e.ValueFrom.SecretKeyRef
			found, ok := secret[ref.Key]
			if !ok {
				if ref.Optional == nil || !*ref.Optional {
					t.Errorf("%s wants the key %s, which an operator isn't asked for", c.Name, ref.Key)
				}
				continue
			}
			value = found
		}
		// $(NAME) stands for a variable that came before.
		env[e.Name] = regexp.MustCompile(`\$\((\w+)\)`).ReplaceAllStringFunc(value, func(s string) string {
			return cmp.Or(env[s[2:len(s)-1]], s)
		})
	}
	return env
}

var processes = []string{"work", "listen", "console", "schedule"}

// said are variables by installation as they come to the processes.
var said = map[string]map[string]string{
	"least": {"HANDOUT_LOG_FORMAT": "json"},
	"a Secret of the chart's own": {
		"HANDOUT_RATE": "2.5", "HANDOUT_POLL": "false", "HANDOUT_SEND_TIMEOUT": "90s", "HANDOUT_PREFIX": "shop-a", "HANDOUT_WEBHOOK_BACKLOG": "20000000",
	},
}

func TestProcesses_EachGetsWhatItReadsAndNoMore(t *testing.T) {
	t.Parallel()
	known := make(map[string]bool)
	for _, v := range variables(t) {
		known[v.Name] = true
	}
	for name, values := range installations {
		objects := render(t, parse(t, values))
		for _, process := range processes {
			d, ok := objects["Deployment/handout-"+process].(*apps.Deployment)
			if !ok && process == "schedule" {
				continue
			}
			container := &d.Spec.Template.Spec.Containers[0]
			env := environment(t, container, keysOf(values))
			config := exec.Command(program(t), "config")
			config.Env = list(env)
			if out, err := config.CombinedOutput(); err != nil {
				t.Errorf("%s: %s reads what the chart says: %v\n%s", name, process, err, out)
			}
			for variable, want := range said[name] {
				if env[variable] != want {
					t.Errorf("%s: %s gets %s=%q, want %q", name, process, variable, env[variable], want)
				}
			}
			for _, e := range container.Env {
				if !known[e.Name] && e.Name != "REDIS_PASSWORD" && e.Name != "US_KEY" {
					t.Errorf("%s: %s gets %s, which handout doesn't read", name, process, e.Name)
				}
				if strings.HasPrefix(e.Name, "TELESIGN_") && e.Name != "TELESIGN_URL" && process == "schedule" {
					t.Errorf("%s: schedule, which doesn't send, gets %s", name, e.Name)
				}
				if strings.Contains(e.Name, "OIDC") && process != "console" {
					t.Errorf("%s: %s, which no one logs in to, gets %s", name, process, e.Name)
				}
				if e.Name == "HANDOUT_PROXY_URL" && process == "listen" {
					t.Errorf("%s: the listener, which calls no one, gets %s", name, e.Name)
				}
				if strings.Contains(e.Name, "S3") && process != "schedule" {
					t.Errorf("%s: %s, which reads no lists, gets %s", name, process, e.Name)
				}
			}
		}
	}
}

func TestProcesses_StopInTheirTime(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]time.Duration{
		least: 15 * time.Second,
		strings.Replace(least, "config: {", "config: {HANDOUT_SEND_TIMEOUT: 90s, ", 1): 90 * time.Second,
	} {
		objects := render(t, parse(t, values))
		d := get[apps.Deployment](t, objects, "Deployment", "handout-work")
		// As docker-compose.yml reckons: the sends that are out, 20 s to record their
		// answers, 10 s to stop the rest; and the pod's preStop.
		need := want + 30*time.Second
		if l := d.Spec.Template.Spec.Containers[0].Lifecycle; l != nil {
			need += time.Duration(l.PreStop.Sleep.Seconds) * time.Second
		}
		grace := time.Duration(*d.Spec.Template.Spec.TerminationGracePeriodSeconds) * time.Second
		if grace < need || grace > need+15*time.Second {
			t.Errorf("a worker with a time-out of %v gets %v to stop, and needs %v", want, grace, need)
		}
	}
	objects := render(t, parse(t, least))
	for _, process := range []string{"listen", "console"} {
		d := get[apps.Deployment](t, objects, "Deployment", "handout-"+process)
		if *d.Spec.Template.Spec.TerminationGracePeriodSeconds != 60 {
			t.Errorf("%s gets %d s to stop", process, *d.Spec.Template.Spec.TerminationGracePeriodSeconds)
		}
	}
}

// TestProcesses_RunAsTheChartStartsThem starts each container's command with its own
// environment and mounts, on a real Redis that is started likewise; of the addresses only
// the ports are others. Then it asks what the probes, Services and Ingresses ask.
func TestProcesses_RunAsTheChartStartsThem(t *testing.T) {
	t.Parallel()
	objects := render(t, parse(t, all))
	redis := startRedis(t, objects)
	for _, process := range processes {
		t.Run(process, func(t *testing.T) {
			t.Parallel()
			runProcess(t, objects, redis, process)
		})
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// mounted writes a ConfigMap's files into a folder.
func mounted(t *testing.T, objects objects, name string) string {
	t.Helper()
	dir := t.TempDir()
	for file, text := range get[core.ConfigMap](t, objects, "ConfigMap", name).Data {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// startRedis starts the StatefulSet's container, and returns its address.
func startRedis(t *testing.T, objects objects) string {
	t.Helper()
	s := get[apps.StatefulSet](t, objects, "StatefulSet", "handout-redis")
	container := &s.Spec.Template.Spec.Containers[0]
	paths := strings.NewReplacer("/etc/redis", mounted(t, objects, "handout-redis"), "/tmp", t.TempDir(), "/data", t.TempDir())
	port := freePort(t)
	var args []string
	for _, a := range container.Command {
		args = append(args, paths.Replace(a))
	}
	args = append(args, "--port", port, "--bind", "127.0.0.1")
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), list(environment(t, container, keysOf(all)))...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	untilLine(t, out, "Ready to accept connections")

	probe := container.ReadinessProbe.Exec.Command
	ping := exec.Command(probe[0], append(slices.Clone(probe[1:len(probe)-1]), strings.Replace(probe[len(probe)-1], "redis-cli", "redis-cli -p "+port, 1))...)
	if err := ping.Run(); err != nil {
		t.Errorf("the readiness probe of a Redis that is ready: %v", err)
	}
	if out, _ := exec.Command("redis-cli", "-p", port, "get", "handout:installation").CombinedOutput(); !strings.Contains(string(out), "NOAUTH") {
		t.Errorf("Redis lets in without a user: %s", out)
	}
	for setting, want := range map[string]string{"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction", "maxmemory": "1073741824"} {
		got, _ := exec.Command("redis-cli", "-p", port, "--user", "console", "--pass", "rehearse-console", "--no-auth-warning", "config", "get", setting).Output()
		if strings.Fields(string(got) + " - -")[1] != want {
			t.Errorf("%s is %q", setting, got)
		}
	}
	return "127.0.0.1:" + port
}

func list(env map[string]string) []string {
	var all []string
	for name, value := range env {
		all = append(all, name+"="+value)
	}
	return all
}

// untilLine reads until a line has the text, and goes on reading behind.
func untilLine(t *testing.T, r io.Reader, text string) {
	t.Helper()
	found := make(chan string, 1)
	go func() {
		var before strings.Builder
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			before.WriteString(lines.Text() + "\n")
			if strings.Contains(lines.Text(), text) {
				found <- ""
				_, _ = io.Copy(io.Discard, r)
				return
			}
		}
		found <- before.String()
	}()
	select {
	case before := <-found:
		if before != "" {
			t.Fatalf("it ended before it said %q:\n%s", text, before)
		}
	case <-time.After(time.Minute):
		t.Fatalf("it doesn't say %q", text)
	}
}

// runProcess starts one, and asks what the chart has others ask.
func runProcess(t *testing.T, objects objects, redis, process string) {
	t.Helper()
	d := get[apps.Deployment](t, objects, "Deployment", "handout-"+process)
	container := &d.Spec.Template.Spec.Containers[0]
	env := environment(t, container, keysOf(all))
	if want := "@handout-redis:6379"; !strings.HasSuffix(env["REDIS_URL"], want) {
		t.Fatalf("REDIS_URL is %s", env["REDIS_URL"])
	}
	get[core.Service](t, objects, "Service", "handout-redis")
	env["REDIS_URL"] = strings.Replace(env["REDIS_URL"], "handout-redis:6379", redis, 1)
	at := make(map[string]string) // a port's name → where it is here
	for name, value := range env {
		for _, p := range container.Ports {
			if value == fmt.Sprintf(":%d", p.ContainerPort) {
				at[p.Name] = "127.0.0.1:" + freePort(t)
				env[name] = at[p.Name]
			}
		}
	}
	if len(at) != len(container.Ports) {
		t.Fatalf("%s has the ports %v, and its variables name %v", process, container.Ports, at)
	}
	if process == "work" { // as the page says: by a worker's environment
		doctor := exec.Command(program(t), "doctor")
		doctor.Env = list(env)
		if out, err := doctor.CombinedOutput(); err != nil {
			t.Errorf("doctor: %v\n%s", err, out)
		}
	}
	if process == "schedule" {
		env["HANDOUT_SCHEDULES"] = strings.Replace(env["HANDOUT_SCHEDULES"], "/schedules", mounted(t, objects, "handout-schedules"), 1)
	}
	cmd := exec.Command(program(t), container.Args...)
	cmd.Env = list(env)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	untilLine(t, out, "listening on")

	answer(t, http.MethodGet, at[container.LivenessProbe.HTTPGet.Port.StrVal]+container.LivenessProbe.HTTPGet.Path, 200)
	answer(t, http.MethodGet, at[container.ReadinessProbe.HTTPGet.Port.StrVal]+container.ReadinessProbe.HTTPGet.Path, 200)
	answer(t, http.MethodGet, at["metrics"]+"/metrics", 200)
	if i, ok := objects["Ingress/handout-"+process].(*networking.Ingress); ok {
		path := i.Spec.Rules[0].HTTP.Paths[0]
		switch process {
		case "listen":
			answer(t, http.MethodPost, at["http"]+path.Path, 401) // not signed
			if *path.PathType != networking.PathTypeExact {
				t.Errorf("the listener's Ingress lets %s pass", *path.PathType)
			}
		case "console":
			answer(t, http.MethodGet, at["http"]+path.Path+"login", 200)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%s: %v\n%s", process, err, log.String())
	}
	if strings.Contains(log.String(), "NOPERM") || strings.Contains(log.String(), "unknown variable") {
		t.Errorf("%s:\n%s", process, log.String())
	}
}

// answer holds that a request gets this status, once what has just started is ready.
func answer(t *testing.T, method, address string, want int) {
	t.Helper()
	var got int
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+address, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			continue
		}
		_ = response.Body.Close()
		if got = response.StatusCode; got == want {
			return
		}
	}
	t.Errorf("%s %s: %d, want %d", method, address, got, want)
}
