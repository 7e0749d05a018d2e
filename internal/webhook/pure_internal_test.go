package webhook

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestBackoff_GrowsFromFiveSecondsToAnHour(t *testing.T) {
	t.Parallel()
	for failed, most := range map[int]time.Duration{
		0: 5 * time.Second, 1: 5 * time.Second, 2: 10 * time.Second, 3: 20 * time.Second, 8: 640 * time.Second,
		10: 2560 * time.Second, 11: time.Hour, 12: time.Hour, 1 << 40: time.Hour,
	} {
		for range 100 {
			if d := backoff(failed); d > most || d < most*4/5-1 {
				t.Fatalf("%d failures: %v, want about %v", failed, d, most)
			}
		}
	}
}

func TestPublic_IsWhatAnybodyReaches(t *testing.T) {
	t.Parallel()
	for _, a := range []string{"1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.32.0.1", "2606:4700::1", "2a00::1", "::ffff:1.1.1.1"} {
		if !public(netip.MustParseAddr(a)) {
			t.Errorf("%s is refused", a)
		}
	}
	for _, a := range []string{
		"127.0.0.1", "127.8.8.8", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
		"100.64.0.1", "100.127.255.255", "192.0.0.8", "192.0.2.1", "198.18.0.1", "224.0.0.1", "239.1.2.3", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1",
		"64:ff9b::a00:1", "2002:a00:1::", "2001::1", "2001:db8::1", "fec0::1",
	} {
		if public(netip.MustParseAddr(a)) {
			t.Errorf("%s isn't refused", a)
		}
	}
	if err := refusePrivate("tcp", "[::ffff:169.254.169.254]:443", nil); !errors.Is(err, ErrPrivate) {
		t.Error(err)
	}
	if err := refusePrivate("tcp", "no address", nil); !errors.Is(err, ErrPrivate) {
		t.Error(err)
	}
	if err := refusePrivate("tcp", "1.1.1.1:443", nil); err != nil {
		t.Error(err)
	}
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	for address, want := range map[string][2]error{ // without private addresses, with them
		"https://example.com/hooks?key=1": {nil, nil},
		"http://example.com":              {ErrInsecure, nil},
		"http://127.0.0.1:8000/":          {ErrInsecure, nil},
		"https://":                        {ErrBadURL, ErrBadURL},
		"https://ann:secret@example.com":  {ErrBadURL, ErrBadURL},
		"ftp://example.com":               {ErrBadURL, ErrBadURL},
		"example.com":                     {ErrBadURL, ErrBadURL},
		"https://exa mple.com\n":          {ErrBadURL, ErrBadURL},
		"":                                {ErrBadURL, ErrBadURL},
	} {
		for i, private := range []bool{false, true} {
			if err := CheckURL(address, private); !errors.Is(err, want[i]) {
				t.Errorf("%q, private %t: %v, want %v", address, private, err, want[i])
			}
		}
	}
}

func TestPlace_LeavesOutWhatMayBeASecret(t *testing.T) {
	t.Parallel()
	if got := Place("https://example.com/hooks?token=s3cr3t#s3cr3t"); got != "https://example.com/hooks?..." {
		t.Error(got)
	}
}

func TestFaults_LeaveOutTheURL(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{errors.New("refused"), &net.OpError{Op: "dial", Err: ErrPrivate}, context.DeadlineExceeded} {
		err := withoutURL(&url.Error{Op: "Post", URL: "https://example.com/?token=s3cr3t", Err: cause})
		if strings.Contains(err.Error(), "s3cr3t") {
			t.Error(err)
		}
	}
}
