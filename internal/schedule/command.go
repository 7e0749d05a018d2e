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
	// farewell is how long a program has to end after SIGTERM.
	farewell = 5 * time.Second
)

// program is one that runs, and what it prints. Whoever reads to the end gets
// io.EOF only if it ended well.
type program struct {
	cmd    *exec.Cmd
	out    *os.File
	ctx    context.Context
	cancel context.CancelFunc
	over   chan struct{} // closed when it has ended
	once   sync.Once
	ended  error
}

// exitError is a program that ended, but not well.
type exitError struct{ state *os.ProcessState }

// Error is how it ended.
func (e *exitError) Error() string { return "the program failed: " + e.state.String() }

// killed says that it didn't end by itself: a person, or a machine without
// memory, has ended it.
func (e *exitError) killed() bool { return e.state.ExitCode() == -1 }

// startTied starts a program that goes with this process, also when this one is
// killed, where the system can do so. To the system it belongs to the thread that
// starts it, so that thread is kept until over is closed.
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

// run starts a program without a shell, in a process group of its own. When ctx
// is done it is asked to end, and killed after a while with all that it started.
func (l *Lists) run(ctx context.Context, args []string, p Period) (*program, error) {
	out, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("a pipe: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = in, l.Errors
	cmd.Env = append(append([]string{}, l.Environment...), "HANDOUT_PERIOD="+string(p))
	ownGroup(cmd)
	cmd.Cancel = func() error { return signalGroup(cmd, false) }
	cmd.WaitDelay = farewell
	over := make(chan struct{})
	err = startTied(cmd, over)
	_ = in.Close() // the child holds its own
	if err != nil {
		close(over)
		cancel()
		_ = out.Close()
		return nil, startError(err)
	}
	x := &program{cmd: cmd, out: out, ctx: ctx, cancel: cancel, over: over}
	context.AfterFunc(ctx, func() {
		// Somebody may hold the pipe whom it has started.
		time.AfterFunc(2*farewell, func() { _ = out.Close() })
	})
	return x, nil
}

// startError says why a program couldn't be started, without its arguments.
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

// wait is what it ended with; nil for exit status 0.
func (x *program) wait() error {
	x.once.Do(func() {
		err := x.cmd.Wait()
		var exit *exec.ExitError
		switch {
		case x.ctx.Err() != nil:
			_ = signalGroup(x.cmd, true) // whom it has started, and left
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

// Close ends it, unless it has ended.
func (x *program) Close() error {
	x.cancel()
	_ = x.out.Close()
	_ = x.wait() // it was told to end
	return nil
}
