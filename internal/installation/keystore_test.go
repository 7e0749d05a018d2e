package installation_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/handout-dev/handout/internal/installation"
	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/test/redistest"
)

func TestOpenKeyStore_KeepsAnInstallationToOneRedisOfKeys(t *testing.T) {
	t.Parallel()
	rdb := open(t, redistest.Start(t), "handout")
	if _, err := installation.Enter(t.Context(), rdb, nil); err != nil {
		t.Fatal(err)
	}
	openStore := func(url string) error {
		keys, err := installation.OpenKeyStore(t.Context(), rdb, url, redisx.TLS{}, slog.New(slog.DiscardHandler))
		if keys != nil {
			_ = keys.Close()
		}
		return err
	}
	if err := openStore(""); err != nil {
		t.Error(err)
	}
	first, second := redistest.Start(t), redistest.Start(t)
	for range 2 { // the second time it is known
		if err := openStore(first.URL()); err != nil {
			t.Error(err)
		}
	}
	var wrong *installation.KeyStoreError
	if err := openStore(second.URL()); !errors.As(err, &wrong) {
		t.Errorf("another one: %v", err)
	}
	if err := openStore(""); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "HANDOUT_KEYS_URL") {
		t.Errorf("none: %v", err)
	}
	stamp, _, err := installation.Read(t.Context(), rdb)
	if err != nil || stamp.KeyStore == "" || stamp.KeyStore == stamp.ID || stamp.OldestReader != 4 {
		t.Errorf("%+v, %v", stamp, err)
	}
	// One that has lost its stamp has lost the keys.
	first.Client().FlushAll(t.Context())
	if err := openStore(first.URL()); !errors.As(err, &wrong) {
		t.Errorf("an empty one: %v", err)
	}
}

func TestOpenKeyStore_RefusesTheRedisOfTheCampaigns(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	rdb := open(t, server, "handout")
	if _, err := installation.Enter(t.Context(), rdb, nil); err != nil {
		t.Fatal(err)
	}
	_, err := installation.OpenKeyStore(t.Context(), rdb, server.URL(), redisx.TLS{}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "REDIS_URL is") {
		t.Error(err)
	}
	if stamp, _, _ := installation.Read(t.Context(), rdb); stamp.KeyStore != "" {
		t.Errorf("%+v", stamp)
	}
}
