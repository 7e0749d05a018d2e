package process_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/handout-dev/handout/test/redistest"
)

// answered runs a command with a terminal as its standard input, at which a person
// answers.
func answered(t *testing.T, e env, answer string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ptmx, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer ptmx.Close()
	var number, unlocked uint32
	for request, value := range map[uintptr]*uint32{syscall.TIOCGPTN: &number, syscall.TIOCSPTLCK: &unlocked} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, ptmx.Fd(), request, uintptr(unsafe.Pointer(value))); errno != 0 {
			t.Fatal(errno)
		}
	}
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	if _, err := ptmx.WriteString(answer + "\n"); err != nil {
		t.Fatal(err)
	}
	cmd := command(ctx, e, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, &stdout, &stderr
	_ = cmd.Run() // the status says it
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

func TestAsks_BeforeAResumeAndACancelOnATerminal(t *testing.T) {
	t.Parallel()
	e := bare().with("REDIS_URL", redistest.Start(t).URL())
	done(t, e, "submit", campaignFile(t, "spring"), listFile(t, numbers(3, plainly)), "--hold")
	for _, verb := range []string{"resume", "cancel"} {
		before := done(t, e, "report", "spring")
		r := answered(t, e, "n", verb, "spring")
		if r.code != 1 || !strings.Contains(r.stderr, "nothing was changed") || done(t, e, "report", "spring") != before {
			t.Errorf("%s, answered with no: %+v", verb, r)
		}
		r = answered(t, e, "y", verb, "spring")
		if r.code != 0 || !strings.Contains(r.stderr, "3") || !strings.Contains(r.stderr, "it? [y/N]") {
			t.Errorf("%s, answered with yes: %+v", verb, r)
		}
		if r := answered(t, e, "n", verb, "spring"); r.code != 0 || r.stderr != "" {
			t.Errorf("%s, which changes nothing any more: %+v", verb, r)
		}
	}
}
