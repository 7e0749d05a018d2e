package installation_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
		if stamps[i], err = installation.Enter(t.Context(), open(t, server, prefix), nil); err != nil {
			t.Error(err)
		}
	})
	for i, s := range stamps {
		if s.ID != stamps[i/4*4].ID || s.Since != stamps[i/4*4].Since || s.ID == "" || s.Format != installation.Format || s.Since.IsZero() {
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
	first, err := installation.Enter(t.Context(), rdb, nil)
	if err != nil {
		t.Fatal(err)
	}
	// The version after this one, which this one can still read.
	server.Client().HSet(t.Context(), "handout:installation", "format", installation.Format+1)
	if s, err := installation.Enter(t.Context(), rdb, nil); err != nil || s.ID != first.ID || s.Format != installation.Format+1 {
		t.Errorf("%+v, %v", s, err)
	}
	server.Client().HSet(t.Context(), "handout:installation", "format", installation.Format+2, "oldest_reader", installation.Format+1)
	var format *installation.FormatError
	if _, err := installation.Enter(t.Context(), rdb, nil); !errors.As(err, &format) || !strings.Contains(err.Error(), "update it") {
		t.Errorf("%v", err)
	}
	server.Client().Del(t.Context(), "handout:installation")
	server.Client().HSet(t.Context(), "handout:installation", "name", "another's")
	if _, err := installation.Enter(t.Context(), rdb, nil); err == nil || !strings.Contains(err.Error(), "another application") {
		t.Errorf("%v", err)
	}
}

func TestEnter_TakesMoreAccountsAndRefusesOthersUnderTheirNames(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	rdb := open(t, server, "handout")
	enter := func(accounts map[string]string) error {
		_, err := installation.Enter(t.Context(), rdb, accounts)
		return err
	}
	for _, accounts := range []map[string]string{nil, {"default": "aa"}, {"default": "aa", "us": "bb"}, {"us": "bb"}, nil} {
		if err := enter(accounts); err != nil {
			t.Fatalf("%v: %v", accounts, err)
		}
	}
	server.ResetCommandStats()
	if err := enter(map[string]string{"default": "aa"}); err != nil || server.CommandStats()["hsetnx"] > 0 {
		t.Errorf("a stamp that has the account is written again; %v", err)
	}
	var other *installation.AccountError
	if err := enter(map[string]string{"default": "aa", "us": "cc", "at": "dd"}); !errors.As(err, &other) || other.Account != "us" || strings.Contains(err.Error(), "\n") {
		t.Errorf("another account as us: %v", err)
	}
	if s, _, err := installation.Read(t.Context(), rdb); err != nil || s.Accounts["us"] != "bb" || s.Accounts["at"] != "" {
		t.Errorf("it was refused, and the stamp says %v; %v", s.Accounts, err)
	}
	if err := installation.Replace(t.Context(), rdb, "us", "cc"); err != nil {
		t.Fatal(err)
	}
	if err := enter(map[string]string{"us": "cc"}); err != nil {
		t.Errorf("replaced: %v", err)
	}
}

// Of two processes that begin at once with other accounts under one name, one begins.
func TestEnter_OfTwoAtOnceWithOtherAccountsOneIsRefused(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for round := range 20 {
		prefix := "p" + string(rune('a'+round))
		var errs [2]error
		campaigntest.Together(2, func(i int) {
			_, errs[i] = installation.Enter(t.Context(), open(t, server, prefix), map[string]string{"default": []string{"aa", "bb"}[i]})
		})
		var other *installation.AccountError
		if (errs[0] == nil) == (errs[1] == nil) || !errors.As(errors.Join(errs[:]...), &other) {
			t.Errorf("round %d: %v", round, errs)
		}
	}
}

// forms is the digest of the golden bytes of what is stored, by the format that has them.
// When they change, Format rises; in what is released, oldestReader does only when the
// version before can't read them. See docs/decisions/0056.
var forms = map[int]string{
	3: "714027b952e6f0fe",
	4: "714027b952e6f0fe", // the stamp has a Redis of keys
}

func TestFormat_RisesWithEveryStoredForm(t *testing.T) {
	t.Parallel()
	digest := sha256.New()
	for _, pattern := range []string{"../../campaign/testdata/*.txt", "../../tasks/testdata/*.json"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(digest, "%s %d\n%s", filepath.Base(file), len(b), b)
		}
	}
	if got := fmt.Sprintf("%.8x", digest.Sum(nil)); got != forms[installation.Format] {
		t.Errorf("the golden bytes are %s, those of format %d are %q: raise installation.Format, and write them down in forms", got, installation.Format, forms[installation.Format])
	}
}
