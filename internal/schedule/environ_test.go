package schedule

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// A program of a schedule is another's: it prints what it was given, as one would that
// looks for secrets.
func TestCommand_AProgramGetsNoVariableThatItsScheduleDoesNotName(t *testing.T) {
	secrets := []string{
		"TELESIGN_API_KEY", "TELESIGN_API_KEY_FILE", "TELESIGN_CUSTOMER_ID", "REDIS_URL", "REDIS_URL_FILE", "HANDOUT_MASTER_KEY", "HANDOUT_MASTER_KEY_FILE",
		"HANDOUT_SCHEDULE_S3_SECRET_KEY", "HANDOUT_REDIS_KEY", "AWS_SECRET_ACCESS_KEY", "SHOP_PASSWORD", "LD_PRELOAD_OF_TOMORROW", "PATHS", "TZ_SECRET", "SHO",
	}
	for _, name := range secrets {
		t.Setenv(name, "hunter2")
	}
	t.Setenv("LC_TIME", "de_DE.UTF-8")
	t.Setenv("SHOP_URL", "https://shop.example.com")
	t.Setenv("SHOP_DB_HOST", "db")
	m := newRoom(t)
	for _, c := range []struct{ env, gets string }{
		{"", ""},
		{"[SHOP_URL, \"SHOP_DB_*\", NOT_THERE]", "SHOP_DB_HOST SHOP_URL"},
		{"[SHOP_PASSWORD]", "SHOP_PASSWORD"},
	} {
		keys := never + `command: [sh, -c, "env >` + m.folder + `/got; false"]`
		if c.env != "" {
			keys += "\nenv: " + c.env
		}
		r, s := m.runner(keys)
		r.lists.Environment = os.Environ()
		m.byHand(r, s, monday, Hand{By: "ann"})
		var beside []string
		for line := range strings.Lines(m.read("got")) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			switch name {
			case "PATH", "HOME", "LANG", "LC_TIME", "TZ", "TMPDIR", "HANDOUT_PERIOD":
			case "PWD", "OLDPWD", "SHLVL", "_": // the shell's own
			default:
				if !strings.HasPrefix(name, "LC_") {
					beside = append(beside, name)
				}
			}
			if value == "hunter2" && name != c.gets {
				t.Errorf("%q: it got %s", c.env, name)
			}
		}
		slices.Sort(beside)
		if got := strings.Join(beside, " "); got != c.gets || !strings.Contains(m.read("got"), "LC_TIME=de_DE.UTF-8\n") || !strings.Contains(m.read("got"), "PATH="+os.Getenv("PATH")+"\n") {
			t.Errorf("%q: it got %s", c.env, m.read("got"))
		}
	}
}

func TestLoad_EnvNamesVariablesOfAProgram(t *testing.T) {
	t.Parallel()
	for env, good := range map[string]bool{
		"[A, _b1, \"SHOP_*\"]": true, "[\"*\"]": false, "[\"A*\"]": false, "[\"AB*\"]": false, "[\"ABC*\"]": true,
		"[\"A=1\"]": false, "[\"\"]": false, "[\"SHOP_*_KEY\"]": false, "[1A]": false,
	} {
		m := newRoom(t)
		path := m.write("s.yaml", "schedules:\n  - {name: a, cron: \"0 2 * * *\", export: [x], env: "+env+"}\n")
		if _, err := Load(path); (err == nil) != good {
			t.Errorf("%s: %v", env, err)
		}
	}
	m := newRoom(t)
	path := m.write("s.yaml", "schedules:\n  - {name: a, cron: \"0 2 * * *\", campaign: campaign.yaml, list: list.csv, env: [ABC]}\n")
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "env: is for a program") {
		t.Error(err)
	}
}
