package process_test

import (
	"strings"
	"testing"

	"github.com/handout-dev/handout/test/redistest"
)

// The user that docs/redis.md names has all the rights that handout needs, and no key
// of others.
func TestRedis_AUserWithLeastRightsIsEnough(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.AppendOnly("always"))
	do := []any{"acl", "setuser", "handout", "on", ">secret"}
	for _, right := range strings.Fields("~handout:* ~asynq:* &asynq:* +@all -@dangerous +info +bgrewriteaof +config|get") {
		do = append(do, right)
	}
	if err := server.Client().Do(t.Context(), do...).Err(); err != nil {
		t.Fatal(err)
	}
	e := bare().with("REDIS_URL", strings.Replace(server.URL(), "unix://", "unix://handout:secret@", 1))
	done(t, e, "demo", "--json", "--recipients", "100")
	done(t, e, "suppress", "add", "+12015550123", "--why", "a test")
	done(t, e, "suppress", "list")
	done(t, e, "rate", "--account", "20")
	done(t, e, "list")
	for _, key := range server.Client().Keys(t.Context(), "*").Val() {
		if !strings.HasPrefix(key, "handout:") && !strings.HasPrefix(key, "asynq:") {
			t.Errorf("a key doesn't begin with the prefix: %s", key)
		}
	}
	denied, err := server.Client().Do(t.Context(), "acl", "log").Slice()
	if err != nil || len(denied) > 0 {
		t.Errorf("denied: %v, %v", denied, err)
	}
}
