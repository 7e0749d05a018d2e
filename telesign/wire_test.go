package telesign_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/handout-dev/handout/telesign"
)

// wire is a TCP listener that lets serve do what it likes with each connection.
func wire(t testing.TB, serve func(conn net.Conn, n int64)) (url string, connections *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	connections = new(atomic.Int64)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			n := connections.Add(1)
			go func() {
				defer conn.Close()
				serve(conn, n)
			}()
		}
	}()
	t.Cleanup(func() { l.Close(); <-stopped })
	return "http://" + l.Addr().String(), connections
}

// readRequest takes one whole request from the connection.
func readRequest(conn net.Conn) error {
	r, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r.Body)
	return err
}

// reset makes Close send a reset instead of a proper end.
func reset(conn net.Conn) { conn.(*net.TCPConn).SetLinger(0) }

func TestSend_RefusedConnectionIsLater(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	l.Close()
	if e := sendError(t, client(t, options(url))); e.Class != telesign.Later || e.Written || e.Account {
		t.Errorf("%v", e)
	}
}

func TestSend_UnknownHostIsLater(t *testing.T) {
	t.Parallel()
	o := options("http://telesign.invalid")
	o.Transport = &http.Transport{} // no proxy, which would look the name up itself
	if e := sendError(t, client(t, o)); e.Class != telesign.Later || e.Written {
		t.Errorf("%v", e)
	}
}

func TestSend_FailedHandshakeIsLater(t *testing.T) {
	t.Parallel()
	t.Run("the connection is closed", func(t *testing.T) {
		t.Parallel()
		url, _ := wire(t, func(net.Conn, int64) {})
		if e := sendError(t, client(t, options("https"+url[len("http"):]))); e.Class != telesign.Later || e.Written {
			t.Errorf("%v", e)
		}
	})
	t.Run("the certificate is nobody's", func(t *testing.T) {
		t.Parallel()
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			t.Error("a request arrived")
		}))
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
		t.Cleanup(s.Close)
		if e := sendError(t, client(t, options(s.URL))); e.Class != telesign.Later || e.Written {
			t.Errorf("%v", e)
		}
	})
}

func TestSend_OneBrokenConnectionIsOneMessage(t *testing.T) {
	t.Parallel()
	protos := make(chan string, 1)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protos <- r.Proto
		io.WriteString(w, `{"status":{"code":3001}}`)
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	transport := telesign.NewTransport()
	transport.TLSClientConfig = s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	transport.TLSClientConfig.NextProtos = nil
	t.Cleanup(transport.CloseIdleConnections)
	o := options(s.URL)
	o.Transport = transport
	if _, err := client(t, o).Send(t.Context(), message()); err != nil {
		t.Fatal(err)
	}
	if got := <-protos; got != "HTTP/1.1" {
		t.Errorf("%s, want HTTP/1.1", got)
	}
}

func TestSend_ClosedAfterTheRequestIsUnknown(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(net.Conn){
		"properly":     func(net.Conn) {},
		"with a reset": reset,
		"half an answer": func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"status\":{\"code\":3001}")
		},
		"half a header": func(c net.Conn) { io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-") },
		"no HTTP":       func(c net.Conn) { fmt.Fprintf(c, "%s %s\r\n\r\n", phone, words) },
		"no status":     func(c net.Conn) { fmt.Fprintf(c, "HTTP/1.1 %s %s\r\n\r\n", phone, words) },
		"no headers":    func(c net.Conn) { fmt.Fprintf(c, "HTTP/1.1 200 OK\r\n%s %s\r\n\r\n", phone, words) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int64
			url, connections := wire(t, func(conn net.Conn, _ int64) {
				if readRequest(conn) == nil {
					requests.Add(1)
				}
				end(conn)
			})
			e := sendError(t, client(t, options(url)))
			if e.Class != telesign.Unknown || !e.Written || e.Err == nil {
				t.Errorf("%v", e)
			}
			if requests.Load() != 1 || connections.Load() != 1 {
				t.Errorf("%d requests on %d connections, want one", requests.Load(), connections.Load())
			}
		})
	}
}

func TestSend_ClosedBeforeReadingIsNeverLaterOnceWritten(t *testing.T) {
	t.Parallel()
	// Whether the request gets out before the end is seen is a race; the class
	// must follow what happened.
	for range 20 {
		url, connections := wire(t, func(conn net.Conn, _ int64) { reset(conn) })
		e := sendError(t, client(t, options(url)))
		want := telesign.Later
		if e.Written {
			want = telesign.Unknown
		}
		if e.Class != want {
			t.Errorf("%v, written %v", e, e.Written)
		}
		if n := connections.Load(); n != 1 {
			t.Errorf("%d connections, want 1", n)
		}
	}
}

func TestSend_ConnectionLostBetweenTwoSendsIsNotRepeated(t *testing.T) {
	t.Parallel()
	// The second request on a kept connection is read and dropped: the case in
	// which net/http repeats a request that it thinks harmless.
	var requests atomic.Int64
	url, _ := wire(t, func(conn net.Conn, _ int64) {
		r := bufio.NewReader(conn)
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			io.Copy(io.Discard, req.Body)
			if requests.Add(1) == 2 {
				return
			}
			const body = `{"status":{"code":3001},"reference_id":"AB"}`
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		}
	})
	c := client(t, options(url))
	if _, err := c.Send(t.Context(), message()); err != nil {
		t.Fatal(err)
	}
	if e := sendError(t, c); e.Class != telesign.Unknown {
		t.Errorf("%v", e)
	}
	if n := requests.Load(); n != 2 {
		t.Errorf("%d requests for two sends", n)
	}
}

func TestSend_TimeoutAfterWritingIsUnknown(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]string{
		"no answer":                     "",
		"half a header":                 "HTTP/1.1 200 OK\r\n",
		"headers and no body":           "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
		"an interim answer, then quiet": "HTTP/1.1 103 Early Hints\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int64
			url, _ := wire(t, func(conn net.Conn, _ int64) {
				if readRequest(conn) == nil {
					requests.Add(1)
				}
				io.WriteString(conn, begin)
				io.Copy(io.Discard, conn) // until the client hangs up
			})
			o := options(url)
			o.Timeout = 100 * time.Millisecond
			e := sendError(t, client(t, o))
			if e.Class != telesign.Unknown || !errors.Is(e, context.DeadlineExceeded) {
				t.Errorf("%v", e)
			}
			if n := requests.Load(); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

func TestSend_TimeoutBeforeWritingIsLater(t *testing.T) {
	t.Parallel()
	// A server that takes the connection and never says hello.
	url, _ := wire(t, func(conn net.Conn, _ int64) { io.Copy(io.Discard, conn) })
	o := options("https" + url[len("http"):])
	o.Timeout = 100 * time.Millisecond
	if e := sendError(t, client(t, o)); e.Class != telesign.Later || !errors.Is(e, context.DeadlineExceeded) {
		t.Errorf("%v", e)
	}
}

func TestSend_CancelIsLaterBeforeWritingAndUnknownAfter(t *testing.T) {
	t.Parallel()
	read := make(chan struct{}, 1)
	var requests atomic.Int64
	url, _ := wire(t, func(conn net.Conn, _ int64) {
		if readRequest(conn) == nil {
			requests.Add(1)
			read <- struct{}{}
		}
		io.Copy(io.Discard, conn)
	})
	c := client(t, options(url))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if e := sendErrorContext(t, ctx, c); e.Class != telesign.Later || e.Written || !errors.Is(e, context.Canceled) {
		t.Errorf("before: %v", e)
	}
	if n := requests.Load(); n != 0 {
		t.Errorf("before: %d requests", n)
	}

	cause := errors.New("the reason of the caller")
	ctx, stop := context.WithCancelCause(t.Context())
	go func() { <-read; stop(cause) }()
	if e := sendErrorContext(t, ctx, c); e.Class != telesign.Unknown || !errors.Is(e, context.Canceled) {
		t.Errorf("after: %v", e)
	}
}

func TestSend_KeepsItsConnections(t *testing.T) {
	t.Parallel()
	url, connections := wire(t, func(conn net.Conn, _ int64) {
		r := bufio.NewReader(conn)
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			io.Copy(io.Discard, req.Body)
			const body = `{"status":{"code":3204},"x":"and some more"}`
			fmt.Fprintf(conn, "HTTP/1.1 429 Too Many Requests\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		}
	})
	c := client(t, options(url))
	for range 20 {
		sendError(t, c)
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections for 20 sends in a row, want 1", n)
	}
}

func TestStatus_NoAnswerIsLater(t *testing.T) {
	t.Parallel()
	url, _ := wire(t, func(conn net.Conn, _ int64) { readRequest(conn) })
	_, err := client(t, options(url)).Status(t.Context(), "AB")
	if e, ok := errors.AsType[*telesign.Error](err); !ok || e.Class != telesign.Later {
		t.Errorf("%v", err)
	}
}
