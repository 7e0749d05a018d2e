package process_test

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/handout-dev/handout/test/redistest"
)

// secret is part of whatever in these tests must not be shown.
const secret = "hunter2"

// refusal is a use that has to fail, and how.
type refusal struct {
	name   string
	args   []string
	env    []string // beside the test's
	code   int
	stderr string // a pattern for the last line, after "handout: "
	before string // patterns of the lines before it; none: there are none
	stdout bool   // it has shown something before it failed
}

// check holds the refusal to the contract: its exit status, one line on
// standard error that says why, nothing on standard output, no secret, no phone
// number, no stack.
func (c refusal) check(t *testing.T, e env) {
	t.Helper()
	r := handout(t, e.with(c.env...), c.args...)
	if r.code != c.code {
		t.Errorf("exit status %d, want %d", r.code, c.code)
	}
	if (r.stdout != "") != c.stdout {
		t.Errorf("standard output: %q", r.stdout)
	}
	lines := strings.SplitAfter(r.stderr, "\n")
	if len(lines) < 2 || lines[len(lines)-1] != "" {
		t.Fatalf("standard error doesn't end with a whole line: %q", r.stderr)
	}
	last, before := lines[len(lines)-2], strings.Join(lines[:len(lines)-2], "")
	if !regexp.MustCompile(`^handout: (` + c.stderr + ")\n$").MatchString(last) {
		t.Errorf("standard error ends with %q, want %q", last, c.stderr)
	}
	if !regexp.MustCompile(`^` + c.before + `$`).MatchString(before) {
		t.Errorf("standard error begins with %q, want %q", before, c.before)
	}
	for _, never := range []string{secret, apiKey, "goroutine ", "panic", "12015550"} {
		if strings.Contains(r.stderr, never) {
			t.Errorf("standard error has %q: %s", never, r.stderr)
		}
	}
}

func checkAll(t *testing.T, e env, cases []refusal) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.check(t, e)
		})
	}
}

func TestUsage_WrongUseIsExitStatus2(t *testing.T) {
	t.Parallel()
	file, list := campaignFile(t, "spring"), listFile(t, numbers(3, plainly))
	cases := []refusal{
		{name: "no command", stderr: `a command is missing; see handout --help, or try handout demo`},
		{name: "unknown command", args: []string{"frobnicate"}, stderr: `there is no command "frobnicate"; see handout --help`},
		{name: "misspelt command", args: []string{"submitt"}, stderr: `there is no command "submitt"; do you mean submit\?`},
		{name: "unknown command with a flag", args: []string{"frobnicate", "x", "--hard"}, stderr: `there is no command "frobnicate".*`},
		{name: "unknown flag", args: []string{"--frob"}, stderr: `unknown flag: --frob; see handout --help`},
		{name: "unknown flag of a command", args: []string{"report", "spring", "--frob"}, stderr: `unknown flag: --frob; see handout report --help`},
		{name: "help for an unknown command", args: []string{"help", "frob"}, stderr: `there is no command "frob".*`},
		{name: "not a number", args: []string{"demo", "--recipients", "many"}, stderr: `--recipients: "many" isn't a whole number; .*`},
		{name: "too few recipients", args: []string{"demo", "--recipients", "0"}, stderr: `demo: --recipients must be 1 to 1,000,000`},
		{name: "argument missing", args: []string{"report"}, stderr: `report: ID is missing; usage: handout report ID \[flags\]`},
		{name: "second argument missing", args: []string{"submit", file}, stderr: `submit: LIST is missing; usage: .*`},
		{name: "argument too many", args: []string{"work", "hard"}, stderr: `work: "hard" is one argument too many; usage: .*`},
		{name: "format", args: []string{"export", "spring", "--format", "xml"}, stderr: `format "xml": it is csv, ndjson or xlsx`},
		{name: "unknown list format", args: []string{"submit", file, "list.pdf", "--dry-run"}, stderr: `the list's name must end in .*`},
		{name: "no Redis", args: []string{"report", "spring"}, stderr: `REDIS_URL is not set.*`},
		{name: "no Redis for submit", args: []string{"submit", file, list}, stderr: `REDIS_URL is not set.*`},
		{name: "no Redis for the console", args: []string{"console"}, stderr: `REDIS_URL is not set.*`},
	}
	for _, verb := range []string{"report", "export", "verify", "pause", "resume", "cancel"} {
		cases = append(cases, refusal{
			name: verb + " of a bad ID", args: []string{verb, "Spring Sale"}, stderr: `"Spring Sale": a campaign ID is 1 to 48 characters of a-z.*`,
		})
	}
	for _, mode := range []string{"work", "listen", "simulate"} {
		cases = append(cases,
			refusal{name: mode + " without an account", args: []string{mode}, stderr: `TELESIGN_CUSTOMER_ID is not set; TELESIGN_API_KEY is not set`},
			refusal{
				name: mode + " with half a key", args: []string{mode}, env: []string{"TELESIGN_CUSTOMER_ID", customerID, "TELESIGN_API_KEY", "%"},
				stderr: `TELESIGN_API_KEY isn't base64.*`,
			})
	}
	for name, url := range map[string]string{
		"no scheme": "127.0.0.1:6379", "another scheme": "http://:hunter2@127.0.0.1", "no host": "redis://",
		"a slash in the password": "redis://:hunter2/@127.0.0.1:6379/0", "a database that isn't one": "redis://:hunter2@127.0.0.1/abc",
		"two slashes": "unix://run/redis.sock",
	} {
		cases = append(cases, refusal{name: "Redis URL: " + name, args: []string{"verify", "spring"}, env: []string{"REDIS_URL", url}, stderr: `REDIS_URL: redis URL: .*`})
	}
	for i := range cases {
		cases[i].code = 2
	}
	checkAll(t, bare(), cases)
}

func TestUsage_EveryFaultOfTheEnvironmentIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	faults := env{
		"HANDOUT_RATE": "fast", "HANDOUT_CONCURRENCY": "0", "HANDOUT_WINDOW": "1e3", "HANDOUT_SEND_TIMEOUT": "15",
		"HANDOUT_POLL": "perhaps", "HANDOUT_POLL_RATE": "NaN", "HANDOUT_REGION": "usa", "HANDOUT_LOG_LEVEL": "loud",
		"HANDOUT_LOG_FORMAT": "xml", "HANDOUT_TELESIGN_AUTH": "oauth", "HANDOUT_LISTEN_ADDR": "8080",
		"HANDOUT_SIMULATE_SPEED": "Inf", "TELESIGN_URL": "hunter2", "HANDOUT_RECEIPT_DEADLINE": "-1s",
	}
	e := bare()
	var pattern []string
	for name, value := range faults {
		e[name] = value
		pattern = append(pattern, name+": must be [^;]*")
	}
	slices.Sort(pattern)
	for _, args := range [][]string{{"config"}, {"doctor"}, {"work"}, {"report", "spring"}, {"demo"}} {
		refusal{args: args, code: 2, stderr: strings.Join(pattern, "; ")}.check(t, e)
	}
}

func TestUsage_AnEmptyVariableIsOneThatIsNotSet(t *testing.T) {
	t.Parallel()
	e := bare().with("HANDOUT_RATE", "", "HANDOUT_POLL", "", "HANDOUT_LOG_LEVEL", "", "HANDOUT_SEND_TIMEOUT", "")
	if out := done(t, e, "config"); !regexp.MustCompile(`HANDOUT_RATE +10 +10 `).MatchString(out) {
		t.Error(out)
	}
}

func TestUsage_WhatFailsIsExitStatus1(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	file, list := campaignFile(t, "spring"), listFile(t, numbers(3, plainly))
	badRows := write(t, "bad.csv", "recipient,phone,url\na,+12015550100,https://x.example/1\n"+
		"b,2015550101,https://x.example/2\nc,+1201555010,https://x.example/3\nd,+12015550102\n,+12015550103,https://x.example/5\n")
	faulty := write(t, "faulty.yaml", "id: Spring Sale\nmessage_type: SPAM\nchannel: sms\n"+strings.SplitN(campaignText("x"), "\n", 3)[2])
	cases := []refusal{
		{name: "no campaign file", args: []string{"submit", "nowhere.yaml", list}, stderr: `campaign file: open nowhere.yaml: no such file or directory`},
		{name: "a folder for a campaign file", args: []string{"submit", t.TempDir(), list}, stderr: `campaign file: .*is a directory`},
		{name: "an empty campaign file", args: []string{"submit", write(t, "e.yaml", ""), list}, stderr: `nothing was sent: 1 fault`, before: `\S+e.yaml.*empty\n`},
		{
			name: "a campaign file with faults", args: []string{"submit", faulty, list}, stderr: `nothing was sent: 3 faults`,
			before: `(\S+faulty.yaml:\d+:\d+: [^\n]+\n){3}`,
		},
		{
			name: "a column that isn't there", args: []string{"submit", write(t, "c.yaml", strings.ReplaceAll(campaignText("c"), ".url", ".link")), list},
			stderr: `nothing was sent: \d+ faults?`, before: `(?s).*link.*`,
		},
		{name: "no list", args: []string{"submit", file, "nowhere.csv"}, stderr: `.*open nowhere.csv: no such file or directory`},
		{name: "an empty list", args: []string{"submit", file, write(t, "e.csv", "")}, stderr: `nothing was sent: 1 fault`, before: `\S+e.csv: the list is empty\n`},
		{name: "a list of nobody", args: []string{"submit", file, write(t, "n.csv", "recipient,phone,url\n")}, stderr: `.*no recipients`},
		{name: "a list without a header", args: []string{"submit", file, write(t, "h.csv", "a,+12015550100,u\n")}, stderr: `nothing was sent: 1 fault`, before: `[^\n]*h.csv:1:1: header: [^\n]*\n`},
		{
			name: "bad rows", args: []string{"submit", file, badRows}, stderr: `nothing was sent: 4 faults; to send to the 1 good row, add --set-aside-bad-rows`,
			before: `\S+bad.csv:3:3: phone: [^\n]+\n\S+bad.csv:4:3: phone: [^\n]+\n\S+bad.csv:5:1: [^\n]+\n\S+bad.csv:6:1: recipient: empty\n`,
		},
		{
			name: "only bad rows, set aside", args: []string{"submit", file, write(t, "b.csv", "recipient,phone,url\nb,2015550101,https://x.example/2\n"), "--set-aside-bad-rows"},
			stderr: `.*no recipients`,
		},
		{
			name: "Redis away", args: []string{"report", "spring"}, env: []string{"REDIS_URL", "redis://:hunter2@127.0.0.1:9/0"},
			stderr: `can't use Redis at redis://127.0.0.1:9/0: .*connection refused; is it running, and is REDIS_URL right\?`,
		},
		{
			name: "no Redis socket", args: []string{"submit", file, list}, env: []string{"REDIS_URL", "unix:///nowhere/redis.sock"},
			stderr: `can't use Redis at unix:///nowhere/redis.sock: .*no such file or directory; is it running.*`,
		},
		{name: "nobody at the health page", args: []string{"health", "http://127.0.0.1:9/healthz"}, stderr: `Get "http://127.0.0.1:9/healthz": .*refused`},
	}
	for _, args := range [][]string{
		{"report", "spring"}, {"report", "spring", "--json"}, {"report", "spring", "--follow"}, {"export", "spring"}, {"verify", "spring"},
		{"pause", "spring"}, {"resume", "spring"}, {"cancel", "spring"},
	} {
		cases = append(cases, refusal{name: "unknown campaign: " + strings.Join(args, " "), args: args, stderr: `there is no campaign spring`})
	}
	for i := range cases {
		cases[i].code = 1
	}
	checkAll(t, bare().with("REDIS_URL", server.URL()), cases)
}

func TestUsage_AWrongRedisPasswordIsNotShown(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Password("another"))
	url := strings.Replace(server.URL(), ":another@", ":"+secret+"@", 1)
	refusal{args: []string{"report", "spring"}, code: 1, stderr: `can't use Redis at unix:///[^:]*: WRONGPASS .*; is it running.*`}.
		check(t, bare().with("REDIS_URL", url))
}

func TestUsage_HelpIsOnStandardOutput(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--help"}, {"help"}, {"help", "submit"}, {"submit", "--help"}, {"help", "suppress", "add"}, {"suppress", "--help"}, {"--version"}, {"completion", "bash"}} {
		r := handout(t, bare(), args...)
		if r.code != 0 || r.stdout == "" || r.stderr != "" {
			t.Errorf("handout %s: exit status %d, standard error %q", strings.Join(args, " "), r.code, r.stderr)
		}
	}
	out := done(t, bare(), "--help")
	for _, command := range []string{"demo", "submit", "work", "listen", "console", "simulate", "report", "export", "verify", "pause", "resume", "cancel", "suppress", "doctor", "config"} {
		if !strings.Contains(out, "\n  "+command+" ") {
			t.Errorf("the help doesn't list %s", command)
		}
	}
}

// So that one who upgrades in the middle of a campaign can see who is new.
func TestVersion_IsTheSameWhereverItIsSaid(t *testing.T) {
	t.Parallel()
	version := strings.TrimSuffix(strings.TrimPrefix(done(t, bare(), "--version"), "handout "), "\n")
	if version == "" || strings.ContainsAny(version, " \n()") {
		t.Fatalf("the version is %q", version)
	}
	program, err := orderhistory()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(program, "--version").CombinedOutput(); err != nil || string(out) != "orderhistory "+version+"\n" {
		t.Errorf("orderhistory says %q, %v", out, err)
	}
	asked := make(chan string, 1)
	vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case asked <- r.Header.Get("User-Agent"):
		default:
		}
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer vendor.Close()
	e := account(redistest.Start(t).URL()).with("TELESIGN_URL", vendor.URL)
	if out := handout(t, e, "doctor", "--live").stdout; !strings.Contains(out, "version: "+version+"\n") {
		t.Errorf("doctor doesn't say %s: %s", version, out)
	}
	if agent := <-asked; agent != "handout/"+version {
		t.Errorf("Telesign is asked by %s", agent)
	}
	if work := serve(t, e, "work"); !strings.Contains(work.out.String(), "msg=ready version="+version+"\n") {
		t.Errorf("the log doesn't say %s: %s", version, work.out)
	}
}
