package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/internal/config"
)

func TestDestination_TellsTelesignFromASimulator(t *testing.T) {
	t.Parallel()
	for address, real := range map[string]bool{
		"https://rest-ww.telesign.com": true, "https://REST-API.Telesign.com:443/": true,
		"http://127.0.0.1:8060": false, "https://telesign.com.example.org": false, "https://faketelesign.com": false,
	} {
		c := &Config{config.Config{TelesignURL: address, RequireSignature: true}}
		d := c.destination()
		if d.Real != real || strings.Contains(d.String(), "paid for") != real {
			t.Errorf("%s: %s", address, d)
		}
	}
}

func TestDoctor_NamesSettingsForRehearsals(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"https://rest-ww.telesign.com", "http://127.0.0.1:8060"} {
		c := &Config{config.Config{TelesignURL: address, RequireSignature: true}}
		if got := diagnoseDestination(c); len(got) != 1 || !got[0].OK {
			t.Errorf("%+v", got)
		}
		c.ReceiptDeadline, c.RequireSignature, c.CheckFilesPrivate, c.WebhookAllowPrivate, c.ConsoleOpen = 12*time.Second, false, true, true, true
		got := diagnoseDestination(c)
		if len(got) != 6 || !strings.Contains(fmt.Sprint(got), "HANDOUT_RECEIPT_DEADLINE=12s") {
			t.Errorf("%+v", got)
		}
		for _, f := range got[1:] {
			if f.OK == c.destination().Real || f.Fatal {
				t.Errorf("at %s: %+v", address, f)
			}
		}
	}
}
