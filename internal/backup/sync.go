package backup

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// silence is how long Redis may send nothing: while it writes its snapshot it sends
	// a line every repl-ping-replica-period, 10 s by default.
	silence = time.Minute
	// chunk is how much is read at a time, in bytes.
	chunk = 256 << 10
)

// download copies one Redis as it is at one moment, as a replica that is new would get it:
// Redis writes a snapshot (a file beside its own, then deleted) and sends it. It returns
// whether mark stands in the copy.
func download(ctx context.Context, node *redis.Client, w io.Writer, mark string, progress func(done, all int64)) (marked bool, err error) {
	o := node.Options()
	conn, err := o.Dialer(ctx, o.Network, o.Addr)
	if err != nil {
		return false, fmt.Errorf("connect for the copy: %w", err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // ends a read that waits
	defer stop()
	marked, err = receive(&link{conn: conn, in: bufio.NewReaderSize(conn, chunk)}, o, w, mark, progress)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return marked, err
}

// link is a connection to a Redis without a client's pool.
type link struct {
	conn net.Conn
	in   *bufio.Reader
}

func (l *link) Read(p []byte) (int, error) {
	if err := l.conn.SetDeadline(time.Now().Add(silence)); err != nil {
		return 0, err
	}
	return l.in.Read(p)
}

// line is the next line that isn't empty: empty ones say that Redis is at work.
func (l *link) line() (string, error) {
	for {
		if err := l.conn.SetDeadline(time.Now().Add(silence)); err != nil {
			return "", err
		}
		text, err := l.in.ReadString('\n')
		if err != nil {
			return "", err
		}
		if text = strings.TrimSpace(text); text != "" {
			return text, nil
		}
	}
}

func (l *link) send(words ...string) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, w := range words {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(w), w)
	}
	if err := l.conn.SetDeadline(time.Now().Add(silence)); err != nil {
		return err
	}
	_, err := l.conn.Write(b.Bytes())
	return err
}

// RefusedError is what Redis said instead of sending a copy.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string {
	return "Redis sends no copy: " + e.Reason + "; its user needs +sync and +replconf, and a managed service has snapshots of its own instead"
}

// ask sends a command whose answer is one line.
func (l *link) ask(words ...string) error {
	if err := l.send(words...); err != nil {
		return err
	}
	answer, err := l.line()
	if err == nil && strings.HasPrefix(answer, "-") {
		err = &RefusedError{answer[1:]}
	}
	return err
}

func receive(l *link, o *redis.Options, w io.Writer, mark string, progress func(done, all int64)) (marked bool, err error) {
	switch {
	case o.Username != "":
		err = l.ask("AUTH", o.Username, o.Password)
	case o.Password != "":
		err = l.ask("AUTH", o.Password)
	}
	if err != nil {
		return false, fmt.Errorf("log in for the copy: %w", err)
	}
	// From Redis 7.0 on: it keeps no replica's buffer for us. An older one says that it
	// doesn't know this, and sends what came since behind the copy, where we hang up.
	var refused *RefusedError
	if err := l.ask("REPLCONF", "rdb-only", "1"); err != nil && !errors.As(err, &refused) {
		return false, fmt.Errorf("ask for a copy: %w", err)
	}
	if err := l.send("SYNC"); err != nil {
		return false, fmt.Errorf("ask for a copy: %w", err)
	}
	head, err := l.line()
	if err != nil {
		return false, fmt.Errorf("wait for the copy: %w", err)
	}
	size, isCopy := strings.CutPrefix(head, "$")
	if !isCopy {
		return false, &RefusedError{strings.TrimPrefix(head, "-")}
	}
	all, err := strconv.ParseInt(size, 10, 64)
	if err != nil {
		return false, &RefusedError{"it announces a copy of size " + size}
	}
	seek := &seeker{what: []byte(mark)}
	done, buffer := int64(0), make([]byte, chunk)
	for done < all {
		n, err := l.Read(buffer[:min(int64(len(buffer)), all-done)])
		if err != nil {
			return false, fmt.Errorf("read the copy: %w", err)
		}
		if _, err := w.Write(buffer[:n]); err != nil {
			return false, fmt.Errorf("write the copy: %w", err)
		}
		seek.see(buffer[:n])
		if done += int64(n); progress != nil {
			progress(done, all)
		}
	}
	return seek.found, nil
}

// seeker finds bytes in a stream.
type seeker struct {
	what, tail []byte
	found      bool
}

func (s *seeker) see(p []byte) {
	if s.found {
		return
	}
	s.tail = append(s.tail, p...)
	s.found = bytes.Contains(s.tail, s.what)
	s.tail = append(s.tail[:0], s.tail[max(0, len(s.tail)-len(s.what)+1):]...)
}

// crcTable is that of the sum at the end of Redis's snapshots: Jones's polynomial
// 0xad93d23594c935a9, its bits reversed (src/crc64.c).
var crcTable = crc64.MakeTable(0x95ac9329ac4bc9b5)

// crcLength and crcVersion: from version 5 of the form on a snapshot ends in its sum.
const (
	crcLength  = 8
	crcVersion = 5
	headLength = 9 // REDIS and the version in four digits
)

// checker reads a snapshot to its end and checks its form and Redis's own sum.
type checker struct {
	head, last []byte // the first bytes, and the last
	sum        uint64 // of all but the last crcLength bytes
}

func (c *checker) Write(p []byte) (int, error) {
	if n := headLength - len(c.head); n > 0 {
		c.head = append(c.head, p[:min(n, len(p))]...)
	}
	c.last = append(c.last, p...)
	if n := len(c.last) - crcLength; n > 0 {
		c.sum = ^crc64.Update(^c.sum, crcTable, c.last[:n]) // Redis doesn't invert it
		c.last = append(c.last[:0], c.last[n:]...)
	}
	return len(p), nil
}

// check says why what was written is no whole snapshot; nil: it is one.
func (c *checker) check() error {
	version, err := strconv.Atoi(string(c.head[min(len(c.head), len("REDIS")):]))
	if err != nil || !bytes.HasPrefix(c.head, []byte("REDIS")) {
		return errors.New("it isn't a snapshot of Redis")
	}
	if version < crcVersion {
		return nil
	}
	sum := uint64(0)
	for i := len(c.last) - 1; i >= 0; i-- { // little-endian
		sum = sum<<8 | uint64(c.last[i])
	}
	if sum != 0 && sum != c.sum { // 0: rdbchecksum no
		return errors.New("its sum is wrong: it was cut off, or changed")
	}
	return nil
}
