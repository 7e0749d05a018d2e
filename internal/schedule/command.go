package schedule

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/handout-dev/handout/campaign"
)

const (
	// headerTime bounds how long a server takes to begin its answer: a list may
	// be made while it is asked for.
	headerTime = 5 * time.Minute
	// farewell is how long a program has to end after SIGTERM.
	farewell = 5 * time.Second
	// mostOutput is of an export, which says what it did.
	mostOutput = 1 << 20
)

// program is one that runs, and what it prints. Whoever reads to the end gets
// io.EOF only if it ended well.
type program struct {
	cmd    *exec.Cmd
	out    *os.File
	ctx    context.Context
	cancel context.CancelFunc
	once   sync.Once
	ended  error
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
	err = cmd.Start()
	_ = in.Close() // the child holds its own
	if err != nil {
		cancel()
		_ = out.Close()
		return nil, startError(err)
	}
	x := &program{cmd: cmd, out: out, ctx: ctx, cancel: cancel}
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
			x.ended = fmt.Errorf("the program failed: %s", exit.ProcessState)
		default:
			x.ended = err
		}
		x.cancel()
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

// export runs a program that opens a campaign itself, and returns which.
func (l *Lists) export(ctx context.Context, s *Schedule, p Period) (campaign.ID, error) {
	x, err := l.run(ctx, s.fillAll(s.Export, p), p)
	if err != nil {
		return "", &Refusal{RefusedExport, err.Error()}
	}
	defer x.Close()
	out, err := io.ReadAll(io.LimitReader(x, mostOutput))
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil:
		return "", &Refusal{RefusedExport, err.Error()}
	case len(out) == mostOutput:
		return "", &Refusal{RefusedExport, "the export printed over 1 MB, where it should name its campaign"}
	}
	id, ok := campaignNamed(out)
	if !ok {
		return "", &Refusal{RefusedExport, "the export ended well, and named no campaign on its last line"}
	}
	return id, nil
}

// campaignNamed finds the campaign that an export names: in a JSON object, all
// of the output or its last line, or as that line.
func campaignNamed(out []byte) (campaign.ID, bool) {
	out = bytes.TrimSpace(out)
	last := out[bytes.LastIndexByte(out, '\n')+1:]
	for _, text := range [][]byte{out, last} {
		var object struct {
			Campaign string `json:"campaign"`
		}
		if json.Unmarshal(text, &object) == nil {
			id, err := campaign.ParseID(object.Campaign)
			return id, err == nil
		}
	}
	id, err := campaign.ParseID(strings.TrimSpace(string(last)))
	return id, err == nil
}
