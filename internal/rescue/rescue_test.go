package rescue_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/installation"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/rescue"
	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/test/redistest"
)

var errUsage = errors.New("wrong use")

// world is a Redis with a campaign of two.
type world struct {
	t    *testing.T
	rdb  redis.UniversalClient
	info *campaign.Info
	dir  string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, rdb: redistest.Start(t).Client(), dir: t.TempDir()}
	if _, err := installation.Enter(t.Context(), w.rdb, nil); err != nil {
		t.Fatal(err)
	}
	file, err := producer.ParseCampaign("", []byte("id: spring\nmessage_type: MKT\nchannels: [{channel: sms, template: text, parameters: {text: Hello}}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	list := producer.ListReader("list.csv", producer.CSV, strings.NewReader("recipient,phone\na,+41790000001\nb,+41790000002\n"))
	result, err := producer.New(w.rdb).Submit(t.Context(), file, list, producer.SubmitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.info = result.Info
	return w
}

// run runs a command, and returns its standard output.
func (w *world) run(args ...string) (string, error) {
	w.t.Helper()
	var out bytes.Buffer
	p := rescue.Program{
		Stdout: &out, Stderr: new(bytes.Buffer),
		Operate: func(_ context.Context, f func(*operations.Operations) error) error {
			return f(operations.New(w.rdb, operations.Options{}))
		},
		Query: func(_ context.Context, f func(*report.Reader) error) error { return f(report.NewReader(w.rdb, 10)) },
		Actor: func(*cobra.Command) *campaign.Actor { return &campaign.Actor{Name: "ann"} },
		Usage: func(format string, args ...any) error {
			return fmt.Errorf("%w: "+format, append([]any{errUsage}, args...)...)
		},
	}
	root := &cobra.Command{Use: "handout", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(p.BackupCommand(), p.RecoverCommand())
	root.SetArgs(args)
	err := root.ExecuteContext(w.t.Context())
	return out.String(), err
}

func (w *world) must(args ...string) string {
	w.t.Helper()
	out, err := w.run(args...)
	if err != nil {
		w.t.Fatalf("%v: %v", args, err)
	}
	return out
}

func TestBackup_GetsAFolderNamedByTheTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var m struct {
		Campaigns []struct {
			ID     string
			Counts map[string]int
		}
	}
	if err := json.Unmarshal([]byte(w.must("backup", w.dir+"/", "--json")), &m); err != nil || len(m.Campaigns) != 1 || m.Campaigns[0].Counts["planned"] != 2 {
		t.Errorf("%+v, %v", m, err)
	}
	made, err := filepath.Glob(filepath.Join(w.dir, "handout-*"))
	if err != nil || len(made) != 1 {
		t.Fatalf("%v, %v", made, err)
	}
	if out := w.must("backup", "--verify", made[0]); !strings.Contains(out, "whole") || !strings.Contains(out, "spring") {
		t.Error(out)
	}
	text, err := os.ReadFile(filepath.Join(made[0], "manifest.json"))
	if err != nil || strings.Contains(string(text), "4179") {
		t.Errorf("the manifest has a phone number: %s, %v", text, err)
	}
	if _, err := w.run("backup", made[0]); !errors.Is(err, errUsage) {
		t.Errorf("over another one: %v", err)
	}
}

func TestRecover_GoesFromTheHoldToTheClose(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if out := w.must("recover"); !strings.Contains(out, "no recovery is open") {
		t.Error(out)
	}
	if out := w.must("recover", "hold", "--from", time.Now().Add(-time.Hour).Format(time.RFC3339)); !strings.Contains(out, "spring") {
		t.Error(out)
	}
	file := filepath.Join(w.dir, "report.csv")
	if err := os.WriteFile(file, []byte("id,status\n"+w.info.ExternalID(campaign.PlaceOf(0), 1)+",Delivered\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		`"by_external_id":1`, `"done":true,"changed":1`, `"done":true,"changed":0`,
	} {
		args := []string{"recover", "settle", file, "--external-id", "id", "--status", "status", "--json"}
		if i > 0 {
			args = append(args, "--yes")
		}
		out := w.must(args...)
		if !strings.Contains(out, want) || (i == 0) != strings.Contains(out, `"done":false,"changed":0`) {
			t.Errorf("%d: %s", i, out)
		}
	}
	if out := w.must("recover", "settle", file, "--external-id", "id"); !strings.Contains(out, "nothing was changed") || !strings.Contains(out, "spring    1              0             0          1           0") {
		t.Error(out)
	}
	if _, err := w.run("recover", "close"); err == nil || !strings.Contains(err.Error(), "spring") {
		t.Errorf("close while it is held: %v", err)
	}
	o := operations.New(w.rdb, operations.Options{})
	s, err := o.Standing(t.Context(), "spring")
	if err == nil {
		err = o.Resume(t.Context(), s, campaign.Actor{Name: "ann"})
	}
	if err != nil {
		t.Fatal(err)
	}
	w.must("recover", "close")
	if out := w.must("recover", "--json"); out != `{"from":null,"held":[],"drafts":[]}`+"\n" {
		t.Error(out)
	}
}

func TestSettle_RefusesFlagsThatSayNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, flags := range [][]string{{"--zone", "Nowhere/Land"}, {"--means", "X"}, {"--means", "X=maybe"}, {"--since", "yesterday"}, {"--campaign", "No ID"}} {
		if _, err := w.run(append([]string{"recover", "settle", "report.csv"}, flags...)...); !errors.Is(err, errUsage) {
			t.Errorf("%v: %v", flags, err)
		}
	}
	if _, err := w.run("recover", "settle", filepath.Join(w.dir, "none.csv")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a report that isn't there: %v", err)
	}
}
