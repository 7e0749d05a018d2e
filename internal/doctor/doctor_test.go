package doctor

import (
	"slices"
	"testing"

	"github.com/handout-dev/handout/internal/probe"
)

func TestSafety_RefusesWhatIsUnsafeUnlessItIsMeant(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		setup Setup
		want  string // the check; empty: nothing is unsafe
	}{
		{"safe", Setup{RedisURL: "rediss://redis.example.com", TelesignURLs: []string{"https://rest-ww.telesign.com"}}, ""},
		{"the simulator here", Setup{TelesignURLs: []string{"http://127.0.0.1:8060"}}, ""},
		{"the simulator here by name", Setup{TelesignURLs: []string{"http://localhost:8060"}}, ""},
		{"http elsewhere", Setup{TelesignURLs: []string{"http://rest-ww.telesign.com"}}, "TELESIGN_URL"},
		{"http to a name like this machine's", Setup{TelesignURLs: []string{"http://localhost.example.com"}}, "TELESIGN_URL"},
		{"no check of Redis's certificate", Setup{RedisURL: "rediss://redis.example.com?skip_verify=true"}, "REDIS_URL"},
		{"nor of a cluster's", Setup{RedisURL: "rediss+cluster://redis.example.com?skip_verify=1"}, "REDIS_URL"},
		{"a check", Setup{RedisURL: "rediss://redis.example.com?skip_verify=false"}, ""},
		{"no signatures", Setup{Unsafe: map[string]bool{"HANDOUT_REQUIRE_SIGNATURE": true}}, "HANDOUT_REQUIRE_SIGNATURE"},
		{"open", Setup{Unsafe: map[string]bool{"HANDOUT_CONSOLE_OPEN": true}}, "HANDOUT_CONSOLE_OPEN"},
		{"private", Setup{Unsafe: map[string]bool{"HANDOUT_WEBHOOK_ALLOW_PRIVATE": true}}, "HANDOUT_WEBHOOK_ALLOW_PRIVATE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			fault := func() int {
				return slices.IndexFunc(examineSafety(&c.setup), func(f probe.Finding) bool { return !f.OK })
			}
			if c.want == "" {
				if fault() >= 0 {
					t.Errorf("%+v", examineSafety(&c.setup))
				}
				return
			}
			if i := fault(); i < 0 || !examineSafety(&c.setup)[i].Fatal || examineSafety(&c.setup)[i].Check != c.want || examineSafety(&c.setup)[i].Advice == "" {
				t.Errorf("%+v", examineSafety(&c.setup))
			}
			c.setup.Meant = []string{"OTHER", " " + c.want}
			if fault() >= 0 {
				t.Errorf("it is meant: %+v", examineSafety(&c.setup))
			}
		})
	}
}
