package redistest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
)

const (
	// firstPort and ports are those that FreePort chooses from. They, and the ports of
	// the bus above them, are below those that systems give to connections (from 32768
	// on), so that none is taken by chance before a server has it.
	firstPort = 12_000
	ports     = 10_000
	// busOffset is how far above its port a node of a cluster listens to the others.
	busOffset = 10_000
)

// chosen is the port that was chosen last, from a beginning of this process's own: others
// choose at the same time.
var chosen = func() *atomic.Uint32 {
	n := new(atomic.Uint32)
	n.Store(rand.Uint32N(ports))
	return n
}()

// FreePort returns a port on 127.0.0.1 on which nothing listens, also not 10,000 above,
// where a node of a cluster does. No other caller in this process gets it.
func FreePort(t testing.TB) string {
	t.Helper()
	for range ports {
		port := firstPort + int(chosen.Add(1)%ports)
		if free(port) && free(port+busOffset) {
			return fmt.Sprint(port)
		}
	}
	t.Fatal("redistest: no port is free")
	return ""
}

func free(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}
