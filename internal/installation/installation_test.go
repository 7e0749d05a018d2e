package installation_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/installation"
	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/test/campaigntest"
	"github.com/handout-dev/handout/test/redistest"
)

func open(t *testing.T, server *redistest.Server, prefix string) redis.UniversalClient {
	t.Helper()
	rdb, err := redisx.Open(server.URL(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

func TestEnter_WritesOneStampForAPrefix(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	if _, there, err := installation.Read(t.Context(), open(t, server, "one")); there || err != nil {
		t.Errorf("a stamp before there was one: %v", err)
	}
	var stamps [8]installation.Stamp
	campaigntest.Together(len(stamps), func(i int) {
		prefix := "one"
		if i >= 4 {
			prefix = "two"
		}
		var err error
		if stamps[i], err = installation.Enter(t.Context(), open(t, server, prefix)); err != nil {
			t.Error(err)
		}
	})
	for i, s := range stamps {
		if s != stamps[i/4*4] || s.ID == "" || s.Format != installation.Format || s.Since.IsZero() {
			t.Errorf("%d: %+v, not %+v", i, s, stamps[i/4*4])
		}
	}
	if stamps[0].ID == stamps[4].ID {
		t.Error("two installations have one ID")
	}
	if name := open(t, server, "one").Do(t.Context(), "client", "getname").Val(); name != "one" {
		t.Errorf("the connection is called %v", name)
	}
}

func TestEnter_RefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	rdb := open(t, server, "handout")
	first, err := installation.Enter(t.Context(), rdb)
	if err != nil {
		t.Fatal(err)
	}
	// The version after this one, which this one can still read.
	server.Client().HSet(t.Context(), "handout:installation", "format", installation.Format+1)
	if s, err := installation.Enter(t.Context(), rdb); err != nil || s.ID != first.ID || s.Format != installation.Format+1 {
		t.Errorf("%+v, %v", s, err)
	}
	server.Client().HSet(t.Context(), "handout:installation", "format", installation.Format+2, "oldest_reader", installation.Format+1)
	var format *installation.FormatError
	if _, err := installation.Enter(t.Context(), rdb); !errors.As(err, &format) || !strings.Contains(err.Error(), "update it") {
		t.Errorf("%v", err)
	}
	server.Client().Del(t.Context(), "handout:installation")
	server.Client().HSet(t.Context(), "handout:installation", "name", "another's")
	if _, err := installation.Enter(t.Context(), rdb); err == nil || !strings.Contains(err.Error(), "another application") {
		t.Errorf("%v", err)
	}
}
