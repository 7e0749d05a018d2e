package worker_test
import ("testing";"time";"fmt";"net/http";"io";"sync/atomic")
func TestDbg(t *testing.T) {
	v := &vendor{}
	var first atomic.Bool
	v.send = func(w http.ResponseWriter, _ *http.Request, _ post) {
		if first.CompareAndSwap(false, true) { w.WriteHeader(500); _, _ = io.WriteString(w, "oops"); return }
		accept(w, len(v.all()))
	}
	r := setup(t, v)
	c := r.stand("c", phones(1), false, resend)
	r.start(soon)
	start := time.Now()
	last := ""
	for time.Since(start) < 9*time.Second {
		rec := r.record(c, 0)
		p, _ := r.phase(c)
		next, _ := r.ledger.NextDue(t.Context(), "c")
		s := fmt.Sprint(rec.State, " ", rec.Attempt, " ", p, " due ", rec.DueAt.Format("05.000"), " page ", next.Format("05.000"), " posts ", len(v.all()))
		if s != last { fmt.Println(time.Now().Format("05.000"), s); last = s }
		time.Sleep(5*time.Millisecond)
	}
}
