package chaos_test

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/handout-dev/handout/test/redistest"
)

// Another installation's Redis answers at the address of ours, in the middle of a
// campaign, with a campaign of the same name and list: nothing is sent from it.
func TestRedis_SwappedUnderRunningProcessesSendsNothing(t *testing.T) {
	t.Parallel()
	const n = 300
	port := redistest.FreePort(t)
	onPort := []redistest.Option{redistest.Set("bind", "127.0.0.1"), redistest.Set("port", port)}
	url := "redis://127.0.0.1:" + port
	r := newRig(t, setup{
		recipients: n, rate: 100, redis: append(onPort, redistest.AppendOnly("always")), vars: map[string]string{"REDIS_URL": url},
	})
	listener := r.listen()
	r.submit()
	w := r.work()
	r.awaitTaken(n / 3)
	r.kills.Add(1)
	r.redis.Kill()
	swapped := redistest.Start(t, onPort...)
	if out, err := r.run(append([]string{"submit"}, r.files...)...); err != nil { // of new processes it is the installation
		t.Fatalf("%v\n%s", err, out)
	}
	for _, p := range []*process{w, listener} {
		r.await("a red /readyz", startTime, func() bool {
			return strings.Contains(p.get(t, "/readyz"), "isn't the one that this process started with")
		})
	}
	before := r.taken()
	swapped.ResetCommandStats()
	r.await("some looks of the worker", startTime, func() bool { return swapped.CommandStats()["hgetall"] > 3 })
	if after := r.taken(); after != before {
		t.Errorf("%d were sent from another Redis", after-before)
	}
	for command := range swapped.CommandStats() {
		if command == "evalsha" || command == "hset" || command == "set" {
			t.Errorf("%s was called there", command)
		}
	}
	swapped.Kill()
	r.redis.Restart()
	for _, p := range []*process{w, listener} {
		r.await("a green /readyz", startTime, func() bool { return strings.HasPrefix(p.get(t, "/readyz"), "200") })
	}
	r.awaitDone(finishTime)
	r.judge(65, "another Redis at the same address").require(r, inFlight)
}

// get reads a page of a process, of any status.
func (p *process) get(t *testing.T, path string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	return strconv.Itoa(answer.StatusCode) + " " + string(body)
}
