package installation_test

import (
	"errors"
	"testing"

	"github.com/handout-dev/handout/internal/installation"
	"github.com/handout-dev/handout/test/redistest"
)

func TestEnterMasterKey_RefusesAProcessWithoutThatOfTheStamp(t *testing.T) {
	t.Parallel()
	rdb := open(t, redistest.Start(t), "handout")
	if s, err := installation.EnterMasterKey(t.Context(), rdb, nil); err != nil || s.MasterKey != "" {
		t.Fatalf("%+v, %v", s, err)
	}
	// The first process that has a master key makes it the installation's.
	if s, err := installation.EnterMasterKey(t.Context(), rdb, []string{"aa"}); err != nil || s.MasterKey != "aa" || s.ID == "" {
		t.Fatalf("%+v, %v", s, err)
	}
	var refused *installation.MasterKeyError
	for _, c := range []struct {
		keys []string
		good bool
	}{{nil, false}, {[]string{"bb"}, false}, {[]string{"aa"}, true}, {[]string{"bb", "aa"}, true}} {
		_, entered := installation.EnterMasterKey(t.Context(), rdb, c.keys)
		looked := installation.LookMasterKey(t.Context(), rdb, c.keys)
		if errors.As(entered, &refused) == c.good || errors.As(looked, &refused) == c.good {
			t.Errorf("%v: %v, %v", c.keys, entered, looked)
		}
	}
	// Entering with both doesn't replace it.
	if err := installation.SetMasterKey(t.Context(), rdb, "bb"); err != nil {
		t.Fatal(err)
	}
	if err := installation.LookMasterKey(t.Context(), rdb, []string{"aa"}); !errors.As(err, &refused) {
		t.Errorf("%v", err)
	}
}
