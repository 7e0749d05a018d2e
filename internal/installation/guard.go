package installation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// checkTime is how often a process in use reads the stamp again. A newer program may
// have raised the format, and FLUSHALL closes no connection.
const checkTime = 5 * time.Second

// ReplacedError means that a Redis is no longer the one that the process started with.
type ReplacedError struct {
	Prefix  string
	Was, Is string // IDs; Is is empty where there is no stamp
}

func (e *ReplacedError) Error() string {
	is := "has no stamp"
	if e.Is != "" {
		is = "is " + e.Is
	}
	return fmt.Sprintf("this Redis isn't the one that this process started with: the installation %s was %s and %s: nothing is read or written there; correct REDIS_URL, or restart the process to use it", e.Prefix, e.Was, is)
}

// Guard keeps a process to the installation that it has entered: when another Redis
// answers at the same address, or a newer program has written what this one can't read,
// every command returns a [*ReplacedError] or a [*FormatError] until that has changed, and
// an [*AccountError] where another account has taken the place of one of its own.
type Guard struct {
	prefix string
	log    *slog.Logger
	every  time.Duration // checkTime
	rdb    redis.UniversalClient
	next   atomic.Int64 // when to read the stamp again, Unix nanoseconds
	wrong  atomic.Pointer[error]

	mu       sync.Mutex
	id       string            // empty: not yet entered
	accounts map[string]string // digests by name, that the process speaks for
}

// NewGuard returns a guard whose Admit is for [redisx.OpenGuarded].
func NewGuard(prefix string, log *slog.Logger) *Guard {
	return &Guard{prefix: prefix, log: log, every: checkTime}
}

// Enter is the [Enter] of the process, which the guard keeps it to from here on. The
// client must be new, and opened with Admit.
func (g *Guard) Enter(ctx context.Context, rdb redis.UniversalClient, accounts map[string]string) error {
	s, err := Enter(ctx, rdb, accounts)
	if err != nil {
		return err
	}
	g.mu.Lock()
	g.id, g.accounts, g.rdb = s.ID, accounts, rdb
	g.mu.Unlock()
	g.next.Store(time.Now().Add(g.every).UnixNano())
	rdb.AddHook(hook{g})
	return nil
}

// Admit returns why a new connection must not be used. A node of a cluster that hasn't
// the stamp is no witness.
func (g *Guard) Admit(ctx context.Context, cn *redis.Conn) error {
	s, there, err := read(ctx, cn, g.prefix)
	if err != nil && (redis.HasErrorPrefix(err, "MOVED") || redis.HasErrorPrefix(err, "ASK") || redis.HasErrorPrefix(err, "CLUSTERDOWN")) {
		return nil
	}
	return g.judge(s, there, err)
}

// judge keeps what a look at the stamp says, and returns what it forbids. An error that
// isn't about the stamp changes nothing: the commands will have it, too.
func (g *Guard) judge(s Stamp, there bool, err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.id == "" {
		return nil
	}
	before := g.wrong.Load()
	var format *FormatError
	switch {
	case errors.As(err, &format):
		err = format
	case err != nil:
		if before == nil {
			return nil
		}
		return *before
	case !there || s.ID != g.id:
		err = &ReplacedError{Prefix: g.prefix, Was: g.id, Is: s.ID}
	default:
		err = s.Check(g.prefix, g.accounts)
	}
	switch {
	case err != nil && before == nil:
		g.log.Error("nothing is sent", "error", err)
		g.wrong.Store(&err)
	case err == nil && before != nil:
		g.log.Info("the installation is there again")
		g.wrong.Store(nil)
	}
	return err
}

// allowed returns what forbids a command. One of them in checkTime reads the stamp.
func (g *Guard) allowed(ctx context.Context) error {
	if ctx.Value(checking{}) != nil {
		return nil
	}
	if now, next := time.Now(), g.next.Load(); now.UnixNano() >= next && g.next.CompareAndSwap(next, now.Add(g.every).UnixNano()) {
		return g.judge(Read(context.WithValue(ctx, checking{}, true), g.rdb))
	}
	if wrong := g.wrong.Load(); wrong != nil {
		return *wrong
	}
	return nil
}

// checking marks the guard's own command.
type checking struct{}

// hook is the guard in the client.
type hook struct{ g *Guard }

func (h hook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (h hook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if err := h.g.allowed(ctx); err != nil {
			cmd.SetErr(err)
			return err
		}
		return next(ctx, cmd)
	}
}

func (h hook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if err := h.g.allowed(ctx); err != nil {
			for _, cmd := range cmds {
				cmd.SetErr(err)
			}
			return err
		}
		return next(ctx, cmds)
	}
}
