package process_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/handout-dev/handout/test/redistest"
)

// TestIntegrate_EveryCommandOfThePageRuns runs docs/integrate.md from its top to
// its end. It needs curl and python3, which the page is about.
func TestIntegrate_EveryCommandOfThePageRuns(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/integrate.md")
	if err != nil {
		t.Fatal(err)
	}
	server := redistest.Start(t)
	h := open(t, quick(server.URL()))
	console := serve(t, h.env, "console")
	blocks := regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$").FindAllStringSubmatch(string(page), -1)
	var shell strings.Builder
	programs := map[string]string{}
	for _, b := range blocks {
		if text := b[2]; b[1] == "sh" {
			shell.WriteString(strings.ReplaceAll(text, "http://127.0.0.1:8090", console.url))
		} else if programs[b[1]] != "" {
			t.Fatalf("two programs in %s", b[1])
		} else {
			programs[b[1]] = text
		}
	}
	if len(programs) != 2 || len(blocks) != 10 {
		t.Fatalf("%d blocks", len(blocks))
	}
	shell.WriteString("\npython3 " + write(t, "integrate.py", programs["python"]) + "\ngo run " + write(t, "main.go", programs["go"]) + "\n")
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience) // it builds a program
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-eu", "-c", shell.String())
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"))
	for name, value := range h.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		`"state":"proposed"`, `"rejected":false`, `"state":"paused","reason":"paused from the start"`, "event: done\n", `"place":"0.0","state":"`,
		`{"campaign":"sends-`, `"rate":5,"set":{"rate":5,"by":"shop","why":"too many calls"`, `isn't the ID of campaign`,
		`"detail":"0 are in_doubt`, `"why":"by hand: asked by letter"`, `{"rows":1,"added":1,"bad_rows":0}`, `"why":"by hand: left us"`, `{"removed":true}`,
		"stood before done {'whatsapp': ", "stood before: true delivered: ",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("nothing says %q:\n%s", want, out)
		}
	}
}
