package search_test

import (
	"bytes"
	"context"
	"crypto/sha1" // Redis names scripts by it
	"encoding/hex"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// wire is what lies between the house and the redis-server: it has Redis tell the
// time of the bubble, stands still as a frozen Redis does, and breaks.
//
// The bubble's clock moves when all its goroutines wait for each other or for the
// clock. So a connection that waits for nothing blocks on a channel and not in the
// network, and no command waits in a way that takes time: its caller may hold a
// mutex, and who waits for that one doesn't count as waiting. A command to a frozen
// Redis times out at once, and is done at the thaw. There are no retries, which
// sleep in between. Only asynq's look for the next task waits: it would look again
// at once, and for ever.
type wire struct {
	addr string

	mu      sync.Mutex
	frozen  bool
	conns   map[*conn]bool
	changed chan struct{} // closed when frozen changes or the connections break
	late    []*conn       // closed by their client while frozen, with a command on its way

	clock   time.Time         // as it stands in Redis
	scripts map[string]string // SHA1 of a script to that of its form with our clock
}

func newWire(addr string) *wire {
	return &wire{addr: addr, conns: map[*conn]bool{}, changed: make(chan struct{}), scripts: map[string]string{}}
}

func (w *wire) signal() {
	close(w.changed)
	w.changed = make(chan struct{})
}

func (p *process) dial(context.Context, string, string) (net.Conn, error) {
	w := p.wire
	c, err := net.Dial("unix", w.addr)
	if err != nil {
		return nil, err
	}
	k := &conn{Conn: c, wire: w, sturdy: p.sturdy}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns[k] = true
	return k, nil
}

// freeze stops Redis from answering. What is written meanwhile is done at the thaw.
func (w *wire) freeze() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frozen = true
}

func (w *wire) thaw() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frozen = false
	var errs []error
	for _, c := range w.late {
		if _, err := c.Conn.Write(c.pending); err != nil {
			errs = append(errs, err)
		}
		_, err := c.Conn.Read(make([]byte, 4096)) // done, once it has been answered
		errs = append(errs, err, c.Conn.Close())
	}
	w.late = nil
	for c := range w.conns {
		if len(c.pending) > 0 {
			_, err := c.Conn.Write(c.pending)
			errs = append(errs, err)
			c.pending = nil
		}
	}
	w.signal()
	return errors.Join(errs...)
}

// cut breaks every connection, as a restart does.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		c.broken = !c.sturdy
	}
	w.clock = time.Time{}
	w.signal()
}

// conn is one connection.
type conn struct {
	net.Conn
	wire   *wire
	sturdy bool // doesn't break

	// All under wire.mu.
	broken, closed bool
	listens        bool // to a channel: an answer comes for each command, and else nothing
	due            int  // answers, of one that listens
	pending        []byte
}

func (c *conn) Read(p []byte) (int, error) {
	for {
		c.wire.mu.Lock()
		changed, idle := c.wire.changed, c.listens && c.due == 0
		broken, closed, frozen := c.broken, c.closed, c.wire.frozen
		c.wire.mu.Unlock()
		switch {
		case closed:
			return 0, net.ErrClosed
		case broken:
			return 0, syscall.ECONNRESET
		case idle:
			<-changed
		case frozen:
			return 0, os.ErrDeadlineExceeded
		default:
			n, err := c.Conn.Read(p)
			c.wire.mu.Lock()
			if c.listens {
				c.due -= bytes.Count(p[:n], []byte("*")) // each begins with one, and has no other
			}
			c.wire.mu.Unlock()
			return n, err
		}
	}
}

func (c *conn) Write(p []byte) (int, error) {
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	switch {
	case c.closed:
		return 0, net.ErrClosed
	case c.broken:
		return 0, syscall.ECONNRESET
	}
	if c.listens || bytes.Contains(p[:min(len(p), 40)], []byte("subscribe")) {
		c.listens = true
		c.due++
		c.wire.signal()
	}
	if c.wire.frozen {
		c.pending = append(c.pending, p...)
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *conn) Close() error {
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	delete(c.wire.conns, c)
	c.wire.signal()
	if c.wire.frozen && len(c.pending) > 0 {
		c.wire.late = append(c.wire.late, c)
		return nil
	}
	return c.Conn.Close()
}

// SetDeadline and the like do nothing: no read takes time.
func (c *conn) SetDeadline(time.Time) error      { return nil }
func (c *conn) SetReadDeadline(time.Time) error  { return nil }
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// process is a process's end of the wire. One that was killed changes nothing any
// more, whatever its goroutines still try.
type process struct {
	wire *wire
	dead atomic.Bool
	// sturdy: its connections don't break.
	sturdy bool
	// doom counts commands down to the kill; below zero there is none.
	doom atomic.Int64
	done bool // the command of the kill is done, and its answer lost
	// died is called at the kill.
	died func(at string)
}

func newProcess(w *wire) *process {
	p := &process{wire: w, died: func(string) {}}
	p.doom.Store(-1)
	return p
}

func (p *process) client() *redis.Client {
	c := redis.NewClient(&redis.Options{
		Network: "unix", Addr: p.wire.addr, Dialer: p.dial, Protocol: 2, DisableIdentity: true,
		MaxRetries:               -1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	c.AddHook(p)
	return c
}

func (p *process) kill(at string) {
	if !p.dead.Swap(true) {
		p.died(at)
	}
}

var errKilled = errors.New("the process was killed")

// around does one exchange with Redis, or dies before or after it.
func (p *process) around(scripts bool, what string, do func() error) error {
	if p.dead.Load() {
		if isLook(what) {
			time.Sleep(lookTime)
		}
		return errKilled
	}
	if isLook(what) {
		p.wire.await()
	}
	last := scripts && p.doom.Load() >= 0 && p.doom.Add(-1) < 0
	if last && !p.done {
		p.kill("before " + what)
		return errKilled
	}
	err := do()
	if last {
		p.kill("after " + what)
	}
	if p.dead.Load() {
		return errKilled
	}
	return err
}

// isLook reports whether a command is asynq's look for the next task.
func isLook(what string) bool { return strings.HasSuffix(what, ":pending") }

// lookTime is how long such a look takes in a process that was killed.
const lookTime = 100 * time.Millisecond

// await returns when Redis isn't frozen.
func (w *wire) await() {
	for {
		w.mu.Lock()
		frozen, changed := w.frozen, w.changed
		w.mu.Unlock()
		if !frozen {
			return
		}
		<-changed
	}
}

// DialHook changes nothing.
func (p *process) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook has one command done.
func (p *process) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		scripted := p.wire.rewrite(cmd)
		return p.around(scripted, nameOf(cmd), func() error {
			if err := p.wire.tellTime(ctx, scripted, next); err != nil {
				return err
			}
			err := next(ctx, cmd)
			answerTime(cmd, err)
			return err
		})
	}
}

// ProcessPipelineHook has several commands done.
func (p *process) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		scripted, writes := false, false
		for _, cmd := range cmds {
			scripted = p.wire.rewrite(cmd) || scripted
			writes = writes || !strings.HasPrefix(cmd.Name(), "hg")
		}
		err := p.around(scripted || writes, nameOf(cmds[0]), func() error {
			one := func(ctx context.Context, cmd redis.Cmder) error { return next(ctx, []redis.Cmder{cmd}) }
			if err := p.wire.tellTime(ctx, scripted, one); err != nil {
				return err
			}
			err := next(ctx, cmds)
			for _, cmd := range cmds {
				answerTime(cmd, err)
			}
			return err
		})
		if errors.Is(err, errKilled) {
			for _, cmd := range cmds {
				cmd.SetErr(err)
			}
		}
		return err
	}
}

func nameOf(cmd redis.Cmder) string {
	if args := cmd.Args(); len(args) > 3 && strings.HasPrefix(cmd.Name(), "eval") {
		if key, ok := args[3].(string); ok {
			return "a script on " + key
		}
	}
	return cmd.Name()
}

// answerTime has TIME say the bubble's.
func answerTime(cmd redis.Cmder, err error) {
	if t, ok := cmd.(*redis.TimeCmd); ok && err == nil {
		t.SetVal(time.Now())
	}
}

// Scripts ask Redis for the time themselves: here they read it from a key, which
// stands right whenever one runs.
const (
	askTime  = `redis.call('TIME')`
	readTime = `redis.call('HMGET', 'search:clock', 's', 'u')`
)

// rewrite gives a script our clock, and reports whether the command runs one.
func (w *wire) rewrite(cmd redis.Cmder) bool {
	args, source := cmd.Args(), 1
	switch strings.ToLower(cmd.Name()) {
	case "evalsha":
		w.mu.Lock()
		defer w.mu.Unlock()
		if sha, ok := args[1].(string); ok && w.scripts[sha] != "" {
			args[1] = w.scripts[sha]
		}
		return true
	case "script":
		source = 2
	case "eval":
	default:
		return false
	}
	text, ok := "", false
	if len(args) > source {
		text, ok = args[source].(string)
	}
	if ok && strings.Contains(text, askTime) {
		ours := strings.ReplaceAll(text, askTime, readTime)
		args[source] = ours
		w.mu.Lock()
		defer w.mu.Unlock()
		w.scripts[hash(text)] = hash(ours)
	}
	return source == 1
}

func hash(script string) string {
	sum := sha1.Sum([]byte(script))
	return hex.EncodeToString(sum[:])
}

// tellTime sets the clock that scripts read.
func (w *wire) tellTime(ctx context.Context, scripted bool, do redis.ProcessHook) error {
	now := time.Now()
	w.mu.Lock()
	stands := !scripted || w.clock.Equal(now)
	w.mu.Unlock()
	if stands {
		return nil
	}
	set := redis.NewIntCmd(ctx, "hset", "search:clock", "s", now.Unix(), "u", now.Nanosecond()/1000)
	if err := do(ctx, set); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = now
	return nil
}

// age lets what Redis keeps for a time get so much older: the bubble's time isn't
// Redis's own.
const age = `
for _, key in ipairs(redis.call('KEYS', '*')) do
  local left = redis.call('PTTL', key)
  if left > 0 then
    if left <= tonumber(ARGV[1]) then redis.call('DEL', key) else redis.call('PEXPIRE', key, left - ARGV[1]) end
  end
end
return 0`
