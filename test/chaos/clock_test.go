package chaos_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/handout-dev/handout/tasks"
)

// skewed is the program with a clock that is wrong by as many seconds as the
// variable CHAOS_CLOCK_AHEAD says. Go reads the clock without the C library, so
// that nothing can be slipped under a finished binary, and Linux has no private
// wall clocks for processes. So the program is built once more with each call
// of time.Now, time.Since and time.Until replaced, in all of handout's own code
// and in all of asynq's: the leases, the times of retries and the ledger's times
// come from there. The checkout isn't touched.
var skewed = sync.OnceValues(func() (string, error) {
	flags, err := skewFlags()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(scratch, "handout-skewed")
	args := append([]string{"build", "-o", bin}, flags...)
	if out, err := exec.Command("go", append(args, handoutPath)...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build handout with a wrong clock: %w\n%s", err, out)
	}
	return bin, nil
})

const (
	handoutPath = "github.com/handout-dev/handout/cmd/handout"
	asynqPath   = "github.com/hibiken/asynq"
)

// skewFlags writes the altered sources and says how to build with them. Ours
// are laid over the checkout; asynq, which may not be overlaid, is copied.
func skewFlags() ([]string, error) {
	root, err := goTool("list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return nil, err
	}
	asynq, err := goTool("list", "-m", "-f", "{{.Dir}}", asynqPath)
	if err != nil {
		return nil, err
	}
	copied := filepath.Join(scratch, "asynq")
	if err := os.CopyFS(copied, os.DirFS(asynq)); err != nil {
		return nil, err
	}
	deps, err := goTool("list", "-deps", "-f", `{{.Dir}}{{range .GoFiles}}|{{.}}{{end}}`, handoutPath)
	if err != nil {
		return nil, err
	}
	overlay := map[string]string{}
	for _, packageFiles := range strings.Split(deps, "\n") {
		names := strings.Split(packageFiles, "|")
		dir := names[0]
		inAsynq := dir == asynq || strings.HasPrefix(dir, asynq+string(filepath.Separator))
		if !inAsynq && !strings.HasPrefix(dir, root+string(filepath.Separator)) {
			continue
		}
		put := func(name, text string) error {
			if inAsynq {
				at := filepath.Join(copied, strings.TrimPrefix(dir, asynq), name)
				return os.WriteFile(at, []byte(text), 0o600)
			}
			file, err := os.CreateTemp(scratch, "*-"+name)
			if err != nil {
				return err
			}
			overlay[filepath.Join(dir, name)] = file.Name()
			_, err = file.WriteString(text)
			return errors.Join(err, file.Close())
		}
		if err := skewPackage(dir, names[1:], put); err != nil {
			return nil, err
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		return nil, err
	}
	overlayFile := filepath.Join(scratch, "overlay.json")
	modFile := filepath.Join(scratch, "skewed.mod")
	return []string{"-overlay", overlayFile, "-modfile", modFile}, errors.Join(
		os.WriteFile(overlayFile, text, 0o600),
		appendTo(filepath.Join(root, "go.mod"), modFile, "\nreplace "+asynqPath+" => "+copied+"\n"),
		appendTo(filepath.Join(root, "go.sum"), filepath.Join(scratch, "skewed.sum"), ""),
	)
}

var readsClock = regexp.MustCompile(`\btime\.(Now|Since|Until)\b`)

// skewPackage alters the files of one package that read the clock.
func skewPackage(dir string, names []string, put func(name, text string) error) error {
	var pkg string
	for _, name := range names {
		source, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if !readsClock.Match(source) {
			continue
		}
		pkg = packageClause.FindString(string(source))
		altered := readsClock.ReplaceAllString(string(source), "skewed$1")
		if err := put(name, altered+"\nvar _ time.Duration // still imported\n"); err != nil {
			return err
		}
	}
	if pkg == "" {
		return nil
	}
	return put("skewed_clock.go", pkg+skewSource)
}

var packageClause = regexp.MustCompile(`(?m)^package \w+`)

// skewSource reads the wall clock alone: a time with a monotonic reading would
// keep the true distance to others.
const skewSource = `

import (
	"os"
	"strconv"
	"time"
)

var skewAhead = func() time.Duration {
	seconds, _ := strconv.Atoi(os.Getenv("CHAOS_CLOCK_AHEAD"))
	return time.Duration(seconds) * time.Second
}()

func skewedNow() time.Time { return time.Unix(0, time.Now().Add(skewAhead).UnixNano()) }

func skewedSince(t time.Time) time.Duration { return skewedNow().Sub(t) }

func skewedUntil(t time.Time) time.Duration { return t.Sub(skewedNow()) }
`

func goTool(args ...string) (string, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir = ".." // the root of the module
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}

func appendTo(from, to, more string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, append(text, more...), 0o600)
}

func TestWorker_WithAWrongClockSendsEverythingOnce(t *testing.T) {
	t.Parallel()
	bin, err := skewed()
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, setup{recipients: size(400, 5000), rate: size(60, 250)})
	work := func(ahead string) *process {
		return spawn(t, bin, "work", append(environment(r.vars), "CHAOS_CLOCK_AHEAD="+ahead), r.log)
	}
	r.listen()
	r.submit()
	r.work()
	fast, slow := work("40"), work("-40")
	// A lease of asynq's lasts 30 s by the clock of the worker that has it.
	leases := "asynq:{handout:" + tasks.QueueBulk + "}:lease"
	r.await("a lease by the fast clock", time.Minute, func() bool {
		z, err := r.rdb.ZRangeWithScores(t.Context(), leases, -1, -1).Result()
		return err == nil && len(z) > 0 && time.Until(time.Unix(int64(z[0].Score), 0)) > 60*time.Second
	})
	r.await("a lease by the slow clock", time.Minute, func() bool {
		z, err := r.rdb.ZRangeWithScores(t.Context(), leases, 0, 0).Result()
		return err == nil && len(z) > 0 && time.Until(time.Unix(int64(z[0].Score), 0)) < 0
	})
	kills := size(1, 5)
	for i := range kills {
		r.awaitTaken((i + 1) * r.recipients * 3 / 4 / (kills + 1))
		r.kill(slow)
		slow = work("-40")
		if *long { // its leases end 70 s later
			r.kill(fast)
			fast = work("40")
		}
	}
	r.awaitDone(finishTime)
	r.judge(80, "two of three workers' clocks 40 s off, killed").require(r, 2*inFlight*kills)
}
