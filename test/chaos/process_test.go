package chaos_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/handout-dev/handout/test/redistest"
)

// process is one life of one mode of the program.
type process struct {
	url    string
	cmd    *exec.Cmd
	exited chan struct{} // closed once it has been waited for
	guard  *redistest.Guard
	once   sync.Once
}

// startTime is generous: many processes share few cores.
const startTime = 30 * time.Second

// spawn runs a mode until the test ends, and returns when it says that it is
// ready. What it logs goes to log line by line.
func spawn(t *testing.T, bin, mode string, env []string, log func(string)) *process {
	t.Helper()
	cmd := exec.Command(bin, mode)
	cmd.Env = env
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, exited: make(chan struct{})}
	t.Cleanup(p.kill)
	if p.guard, err = redistest.NewGuard(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	first := make(chan string, 1)
	var readers sync.WaitGroup
	readers.Go(func() {
		r := bufio.NewReader(stdout)
		text, _ := r.ReadString('\n')
		first <- text
		_, _ = io.Copy(io.Discard, r)
	})
	readers.Go(func() {
		for scan := bufio.NewScanner(stderr); scan.Scan(); {
			log(scan.Text())
		}
	})
	go func() {
		readers.Wait()
		_ = cmd.Wait() // killed on purpose, mostly
		close(p.exited)
	}()
	select {
	case text := <-first:
		url, ok := strings.CutPrefix(strings.TrimSpace(text), "listening on ")
		if !ok {
			<-p.exited
			t.Fatalf("handout %s doesn't start: %q", mode, text)
		}
		p.url = url
	case <-time.After(startTime):
		t.Fatalf("handout %s isn't ready after %s", mode, startTime)
	}
	return p
}

// kill ends the process as a crash would, and returns when it is gone. It may be
// called from anywhere, and again.
func (p *process) kill() {
	p.dismiss()
	_ = p.cmd.Process.Kill() // an error means that it has ended
	<-p.exited
}

// stop asks the process to end and returns its complaint if it doesn't do so
// in order.
func (p *process) stop() error {
	p.dismiss()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(startTime):
		p.kill()
		return fmt.Errorf("it didn't stop within %s", startTime)
	}
	if status := p.cmd.ProcessState; !status.Success() {
		return fmt.Errorf("it stopped with %s", status)
	}
	return nil
}

func (p *process) dismiss() { p.once.Do(func() { p.guard.Dismiss() }) }

// environment is this process's without anything of handout's, and vars.
func environment(vars map[string]string) []string {
	var env []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, "HANDOUT_") && !strings.HasPrefix(name, "TELESIGN_") && name != "REDIS_URL" {
			env = append(env, kv)
		}
	}
	for name, value := range vars {
		env = append(env, name+"="+value)
	}
	return env
}
