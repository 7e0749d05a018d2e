package chaos_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

var release = flag.String("release", "", "the tag or commit whose program runs beside this one's; empty: this one's twice")

// released is the program of the commit that -release names, built once.
var released = sync.OnceValues(func() (string, error) {
	if *release == "" {
		return handout()
	}
	// What git archive writes leaves no trace in the repository, as a worktree would.
	source := filepath.Join(scratch, "release")
	if err := os.MkdirAll(source, 0o700); err != nil {
		return "", err
	}
	unpack := exec.Command("sh", "-c", `git -C ../.. archive --format tar "$1" | tar -x -C "$2"`, "sh", *release, source)
	if out, err := unpack.CombinedOutput(); err != nil {
		return "", fmt.Errorf("unpack %s: %w\n%s", *release, err, out)
	}
	bin := filepath.Join(scratch, "handout-released")
	build := exec.Command("go", "build", "-o", bin, "./cmd/handout")
	build.Dir = source
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", *release, err, out)
	}
	return bin, nil
})

// Two versions run in one campaign while an installation is updated, and when it goes
// back. Of each other's records, tasks and pages they lose nothing.
func TestMixed_TwoVersionsSendOneCampaignOnce(t *testing.T) {
	t.Parallel()
	old, err := released()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := handout(); err != nil {
		t.Fatal(err)
	}
	for i, m := range []struct{ name, submits, works, listens string }{
		{"worker of before, listener and submit of now", ours(), old, ours()},
		{"worker of now, listener and submit of before", old, ours(), old},
	} {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, setup{recipients: size(200, 5000), rate: size(150, 250), vars: unhurried})
			r.listenBy(m.listens)
			r.submitBy(m.submits)
			w := r.workBy(m.works)
			r.awaitDone(finishTime)
			r.judge(80+i, m.name).require(r, 0)
			r.verifiedBy(m.submits, m.works)
			r.stops(w)
		})
	}
	t.Run("both at once", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, setup{recipients: size(300, 5000), rate: size(150, 250)})
		r.listen()
		r.submitBy(old)
		first, second := r.workBy(old), r.work()
		for i, victim := range []**process{&first, &second} { // each finds the other's claims
			r.awaitTaken((i + 1) * r.recipients / 3)
			r.kill(*victim)
			*victim = r.workBy([]string{old, ours()}[i])
		}
		r.awaitDone(finishTime)
		r.judge(82, "workers of before and now, each killed once").require(r, 2*inFlight)
		r.verifiedBy(old, ours())
	})
	t.Run("there and back", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, setup{recipients: size(300, 5000), rate: size(150, 250), vars: unhurried})
		r.listenBy(old)
		r.submitBy(old)
		w := r.workBy(old)
		for i, bin := range []string{ours(), old} { // the order of docs/upgrading.md
			r.awaitTaken((i + 1) * r.recipients / 3)
			r.listenBy(bin)
			next := r.workBy(bin)
			r.stops(w)
			w = next
		}
		r.awaitDone(finishTime)
		r.judge(83, "updated while it sends, and back").require(r, 0)
		r.verifiedBy(old, ours())
	})
}

// verifiedBy has each of these programs check the balance.
func (r *rig) verifiedBy(bins ...string) {
	r.t.Helper()
	for _, bin := range bins {
		if out, err := r.runBy(bin, "verify", string(campaignID)); err != nil {
			r.t.Errorf("verify by %s: %v\n%s", filepath.Base(bin), err, out)
		}
	}
}

func (r *rig) stops(p *process) {
	r.t.Helper()
	if err := p.stop(); err != nil {
		r.t.Error(err)
	}
}
