package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handout-dev/handout/internal/config"
	"github.com/handout-dev/handout/internal/sealed"
)

// alone leaves no variable of the machine's.
func alone(t *testing.T) {
	t.Helper()
	for _, v := range new(config.Config).Variables() {
		for _, name := range []string{v.Name, v.Name + "_FILE"} {
			t.Setenv(name, "")
			_ = os.Unsetenv(name)
		}
	}
}

func TestLoad_EveryDefaultIsGood(t *testing.T) {
	alone(t)
	c, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range c.Variables() {
		if (v.Value == "") != (v.Default == "") && v.Value != "0" && v.Value != "0s" && v.Value != "false" {
			t.Errorf("%s is %q, its default %q", v.Name, v.Value, v.Default)
		}
		t.Setenv(v.Name, "") // as Docker Compose sets what isn't set
	}
	if empty, err := config.Load(); err != nil || empty.Rate != c.Rate || empty.SendTimeout != c.SendTimeout {
		t.Errorf("set to nothing: %v", err)
	}
}

// Those with a name of their own are read by handout's, too.
func TestLoad_ReadsEachVariableByHandoutsName(t *testing.T) {
	alone(t)
	t.Setenv("HANDOUT_REDIS_URL", "redis://redis:6379/1")
	t.Setenv("HANDOUT_TELESIGN_CUSTOMER_ID", "c")
	t.Setenv("HANDOUT_TELESIGN_API_KEY", "aHVudGVyMg==")
	t.Setenv("HANDOUT_TELESIGN_URL", "https://telesign.example.com")
	c, err := config.Load()
	if err != nil || c.RedisURL != "redis://redis:6379/1" || c.TelesignCustomerID != "c" || c.TelesignAPIKey.Reveal() != "aHVudGVyMg==" || c.TelesignURL != "https://telesign.example.com" {
		t.Errorf("%v: %+v", err, c.Variables())
	}
}

func TestLoad_NamesEveryFaultAndShowsNoSecret(t *testing.T) {
	const secret = "hunter2"
	for name, c := range map[string]struct {
		set  map[string]string
		want []string
	}{
		"two at once":                   {map[string]string{"HANDOUT_RATE": "0", "HANDOUT_SEND_TIMEOUT": secret}, []string{"HANDOUT_RATE: must be over 0", "HANDOUT_SEND_TIMEOUT: must be a duration as in 90s or 10m"}},
		"a secret in the wrong place":   {map[string]string{"HANDOUT_CONCURRENCY": secret}, []string{"HANDOUT_CONCURRENCY: must be a whole number"}},
		"no master key":                 {map[string]string{"HANDOUT_MASTER_KEY": secret}, []string{"HANDOUT_MASTER_KEY: a master key is 32 random bytes"}},
		"keys apart without any":        {map[string]string{"HANDOUT_KEYS_URL": "redis://:" + secret + "@keys:6379"}, []string{"HANDOUT_KEYS_URL: is set, and HANDOUT_MASTER_KEY isn't"}},
		"a secret and a file for it":    {map[string]string{"TELESIGN_API_KEY": secret, "TELESIGN_API_KEY_FILE": "/nowhere"}, []string{"TELESIGN_API_KEY: is set, and so is TELESIGN_API_KEY_FILE"}},
		"a file that isn't there":       {map[string]string{"HANDOUT_MASTER_KEY_FILE": "/nowhere/key"}, []string{"HANDOUT_MASTER_KEY: ", "/nowhere/key"}},
		"a proxy that is none":          {map[string]string{"HANDOUT_PROXY_URL": "socks5://u:" + secret + "@proxy:1080"}, []string{"HANDOUT_PROXY_URL: must be as in http://proxy.example.com:3128"}},
		"authorities that aren't there": {map[string]string{"HANDOUT_CA_FILE": "/nowhere/ca.pem"}, []string{"HANDOUT_CA_FILE: ", "/nowhere/ca.pem"}},
		"a prefix that is no prefix":    {map[string]string{"HANDOUT_PREFIX": "Two Words"}, []string{"HANDOUT_PREFIX: must be 1 to 32 small letters"}},
		"a switch that is no switch":    {map[string]string{"HANDOUT_POLL": "perhaps"}, []string{"HANDOUT_POLL: must be true or false"}},
		"a level that the log lacks":    {map[string]string{"HANDOUT_LOG_LEVEL": "loud"}, []string{"HANDOUT_LOG_LEVEL: must be debug, info, warn or error"}},
		"a number far from any number":  {map[string]string{"HANDOUT_POLL_RATE": "-1"}, []string{"HANDOUT_POLL_RATE: must be over 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			alone(t)
			for name, value := range c.set {
				t.Setenv(name, value)
			}
			_, err := config.Load()
			if err == nil {
				t.Fatal("it is taken")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v: want %q", err, want)
				}
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestVariables_ShowNoSecret(t *testing.T) {
	alone(t)
	master := sealed.NewMasterKey()
	file := filepath.Join(t.TempDir(), "master.key")
	if err := os.WriteFile(file, []byte(master+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HANDOUT_MASTER_KEY_FILE", file)
	for _, name := range []string{"REDIS_URL", "HANDOUT_KEYS_URL"} {
		t.Setenv(name, "rediss://user:hunter2@redis:6379/0")
	}
	t.Setenv("TELESIGN_API_KEY", "aHVudGVyMg==")
	t.Setenv("TELESIGN_URL", "https://user:hunter2@telesign.example.com")
	t.Setenv("HANDOUT_PROXY_URL", "http://user:hunter2@proxy.example.com:3128")
	c, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	if ids := c.MasterKeys().IDs(); len(ids) != 1 {
		t.Errorf("the file has %d keys", len(ids))
	}
	for _, v := range c.Variables() {
		for _, secret := range []string{"hunter2", "aHVudGVyMg==", master} {
			if strings.Contains(v.Value+v.Description, secret) {
				t.Errorf("%+v", v)
			}
		}
	}
}

func TestUnknown_AreMisspelt(t *testing.T) {
	alone(t)
	t.Setenv("HANDOUT_RAET", "10")
	t.Setenv("HANDOUT_MASTER_KEY_FILE", "")
	if got := config.Unknown(); len(got) != 1 || got[0] != "HANDOUT_RAET" {
		t.Errorf("%q", got)
	}
}
