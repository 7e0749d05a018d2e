package schedule

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

const (
	// headerTime bounds how long a server takes to begin its answer: a list may
	// be made while it is asked for.
	headerTime = 5 * time.Minute
	// graceTime is how long a program has to end after SIGTERM.
	graceTime = 5 * time.Second
)

// program is a running program. Its output ends with io.EOF only if the program
// ended with status 0.
type program struct {
	cmd    *exec.Cmd
	out    *os.File
	ctx    context.Context
	cancel context.CancelFunc
	over   chan struct{} // closed when it has ended
	once   sync.Once
	ended  error
}

// exitError means that a program ended with another status than 0.
type exitError struct{ state *os.ProcessState }

// Error says how it ended.
func (e *exitError) Error() string { return "the program failed: " + e.state.String() }

// killed reports whether a signal ended it: a person's, or of a machine that is out
// of memory.
func (e *exitError) killed() bool { return e.state.ExitCode() == -1 }

// startTied starts a program that ends with this process, also if this one is
// killed, where the system supports that. The program is tied to the thread that
// starts it, which therefore lives until over is closed.
func startTied(cmd *exec.Cmd, over <-chan struct{}) error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		started <- cmd.Start()
		<-over
	}()
	return <-started
}

// run starts a program without a shell, in a process group of its own. When ctx is
// done, the group gets SIGTERM, and SIGKILL after [graceTime].
func (l *Lists) run(ctx context.Context, args, env []string, p Period) (*program, error) {
	out, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("a pipe: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = in, l.Errors
	cmd.Env = append(environment(l.Environment, env), "HANDOUT_PERIOD="+string(p))
	ownGroup(cmd)
	cmd.Cancel = func() error { return signalGroup(cmd, false) }
	cmd.WaitDelay = graceTime
	over := make(chan struct{})
	err = startTied(cmd, over)
	_ = in.Close() // the child has its own
	if err != nil {
		close(over)
		cancel()
		_ = out.Close()
		return nil, startError(err)
	}
	x := &program{cmd: cmd, out: out, ctx: ctx, cancel: cancel, over: over}
	context.AfterFunc(ctx, func() {
		// A process that it started may still hold the pipe.
		time.AfterFunc(2*graceTime, func() { _ = out.Close() })
	})
	return x, nil
}

// startError returns why a program couldn't be started, without its arguments.
func startError(err error) error {
	var path *os.PathError
	var name *exec.Error
	switch {
	case errors.As(err, &name):
		return fmt.Errorf("%s: %w", name.Name, name.Err)
	case errors.As(err, &path):
		return fmt.Errorf("%s: %w", path.Path, path.Err)
	}
	return err
}

// Read reads what it prints.
func (x *program) Read(b []byte) (int, error) {
	n, err := x.out.Read(b)
	if err == nil {
		return n, nil
	}
	if failed := x.wait(); failed != nil {
		return n, failed
	}
	if !errors.Is(err, io.EOF) {
		return n, fmt.Errorf("read the program's output: %w", err)
	}
	return n, io.EOF
}

// wait returns what it ended with; nil for exit status 0.
func (x *program) wait() error {
	x.once.Do(func() {
		err := x.cmd.Wait()
		var exit *exec.ExitError
		switch {
		case x.ctx.Err() != nil:
			_ = signalGroup(x.cmd, true) // the processes that it started and left
			x.ended = x.ctx.Err()
		case errors.As(err, &exit):
			x.ended = &exitError{exit.ProcessState}
		default:
			x.ended = err
		}
		x.cancel()
		close(x.over)
	})
	return x.ended
}

// Close ends it if it still runs.
func (x *program) Close() error {
	x.cancel()
	_ = x.out.Close()
	_ = x.wait() // its status no longer matters
	return nil
}
