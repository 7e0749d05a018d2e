package chaos_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/tasks"
	"github.com/handout-dev/handout/test/redistest"
)

// command is a call to Redis, as it went over the wire.
type command struct {
	raw  []byte
	args [][]byte
}

// script splits the call of a script into its keys and arguments; nothing for
// any other command.
func (c command) script() (keys, args [][]byte) {
	if len(c.args) < 3 || !strings.HasPrefix(strings.ToUpper(string(c.args[0])), "EVAL") {
		return nil, nil
	}
	n, err := strconv.Atoi(string(c.args[2]))
	if err != nil || n > len(c.args)-3 {
		return nil, nil
	}
	return c.args[3 : 3+n], c.args[3+n:]
}

// acknowledges says that asynq calls a send done. Of its scripts on an active
// note only "done" and "retry" count it as processed, and no send is retried
// while Redis answers.
func (c command) acknowledges() bool {
	keys, _ := c.script()
	for _, k := range keys {
		if bytes.HasPrefix(k, []byte("asynq:{handout:"+tasks.QueueBulk+"}:processed:")) {
			return true
		}
	}
	return false
}

// accepts says that the ledger hears that Telesign has taken a message: among
// the arguments of ledger/lua/apply.lua a claimed record stands before the
// accepted one that shall replace it.
func (c command) accepts() bool {
	_, args := c.script()
	for i := range max(0, len(args)-1) {
		before, err1 := campaign.DecodeRecord(args[i])
		after, err2 := campaign.DecodeRecord(args[i+1])
		if err1 == nil && err2 == nil && before.State == campaign.Claimed && after.State == campaign.Accepted {
			return true
		}
	}
	return false
}

// verdict is what a proxy does with a command.
type verdict int

const (
	pass    verdict = iota // let it through
	refuse                 // answer an error; Redis never hears of it
	drop                   // kill first; Redis never hears of it
	swallow                // let it through, kill when Redis has answered; the answer is lost
)

// redisProxy stands between a worker and its Redis.
type redisProxy struct {
	url    string
	struck atomic.Int64 // commands that weren't passed
	judge  func(command) verdict
	strike func() // kills the worker
}

// newRedisProxy is a proxy until the test ends. judge is asked for every
// command, from many goroutines; strike kills the worker.
func newRedisProxy(t *testing.T, server *redistest.Server, judge func(command) verdict, strike func()) *redisProxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	p := &redisProxy{url: "redis://" + listener.Addr().String(), judge: judge, strike: strike}
	socket := strings.TrimPrefix(server.URL(), "unix://")
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(conn, socket)
		}
	}()
	return p
}

// serve passes one connection's commands on until either side hangs up.
func (p *redisProxy) serve(client net.Conn, socket string) {
	defer client.Close()
	server, err := net.Dial("unix", socket)
	if err != nil {
		return // Redis is away, and the worker sees a broken connection
	}
	defer server.Close()
	// A worker's connection has one command under way at a time, or a pipeline,
	// which holds none that we look for: what comes back after the gate has
	// shut is the answer to the command that shut it.
	var shut atomic.Bool
	go func() {
		defer client.Close()
		buffer := make([]byte, 64<<10)
		for {
			n, err := server.Read(buffer)
			if err != nil {
				return
			}
			if shut.Load() {
				p.strike()
				return
			}
			if _, err := client.Write(buffer[:n]); err != nil {
				return
			}
		}
	}()
	for r := bufio.NewReaderSize(client, 64<<10); ; {
		c, err := readCommand(r)
		if err != nil {
			return
		}
		v := p.judge(c)
		if v != pass {
			p.struck.Add(1)
		}
		switch v {
		case refuse:
			if _, err := io.WriteString(client, "-ERR refused on purpose\r\n"); err != nil {
				return
			}
			continue
		case drop:
			p.strike()
			return
		case swallow:
			shut.Store(true)
		}
		if _, err := server.Write(c.raw); err != nil {
			return
		}
	}
}

// readCommand reads an array of bulk strings, as clients send them.
func readCommand(r *bufio.Reader) (command, error) {
	var c command
	n, err := c.header(r, '*')
	for range n {
		var size int
		if size, err = c.header(r, '$'); err != nil {
			break
		}
		at := len(c.raw)
		c.raw = append(c.raw, make([]byte, size+2)...)
		if _, err = io.ReadFull(r, c.raw[at:]); err != nil {
			break
		}
		c.args = append(c.args, bytes.Clone(c.raw[at:at+size]))
	}
	return c, err
}

func (c *command) header(r *bufio.Reader, kind byte) (int, error) {
	text, err := r.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	c.raw = append(c.raw, text...)
	if text[0] != kind {
		return 0, fmt.Errorf("not a command: %q", text)
	}
	return strconv.Atoi(string(bytes.TrimSpace(text[1:])))
}

// vendorProxy stands between a worker and the vendor.
type vendorProxy struct {
	url string
}

// newVendorProxy is a proxy until the test ends. judge is asked for each POST;
// strike kills the worker.
func newVendorProxy(t *testing.T, vendor string, judge func() verdict, strike func()) *vendorProxy {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 2 * inFlight}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler) // the worker is gone
		}
		v := pass
		if r.Method == http.MethodPost {
			v = judge()
		}
		if v == drop {
			strike()
			panic(http.ErrAbortHandler)
		}
		answer, text, err := forward(transport, r, vendor, body)
		if v == swallow {
			strike()
		}
		if v == swallow || err != nil {
			panic(http.ErrAbortHandler)
		}
		for name, values := range answer.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.StatusCode)
		_, _ = w.Write(text)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		transport.CloseIdleConnections()
	})
	return &vendorProxy{url: server.URL}
}

// forward makes the request once more, and reads all of its answer. What has
// arrived here is on its way, whatever becomes of the worker.
func forward(transport http.RoundTripper, r *http.Request, vendor string, body []byte) (*http.Response, []byte, error) {
	request, err := http.NewRequest(r.Method, vendor+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	request.Header = r.Header.Clone()
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return nil, nil, err
	}
	text, err := io.ReadAll(answer.Body)
	return answer, text, errors.Join(err, answer.Body.Close())
}
