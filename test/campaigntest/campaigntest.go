// Package campaigntest has the events, records and lists that the tests of
// several rooms share.
package campaigntest

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
)

func Pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

var update = flag.Bool("update", false, "write the golden files of testdata anew")

// Noon is when everything happens in these tests, give or take minutes.
var Noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func Spec(id campaign.ID) *campaign.Spec {
	return &campaign.Spec{
		ID:          id,
		MessageType: "MKT",
		Channels: []campaign.Channel{
			{Channel: "whatsapp", FallbackTime: 600, Template: "file", Parameters: map[string]string{"url": "{{.url}}"}},
			{Channel: "sms", Template: "text", Parameters: map[string]string{"text": "Yours is at {{.url}}."}},
		},
		Rate: 10, Lane: campaign.LaneBulk, OnDoubt: campaign.DoubtHold,
	}
}

// People are recipients from..to-1 of a list with the column url.
func People(from, to int) []campaign.Recipient {
	list := make([]campaign.Recipient, 0, to-from)
	for i := from; i < to; i++ {
		list = append(list, campaign.Recipient{
			ID: fmt.Sprintf("r%d", i), Phone: fmt.Sprintf("+4179%07d", i), Values: []string{fmt.Sprintf("https://example.com/%d", i)},
		})
	}
	return list
}

// Reference is a made-up reference in Telesign's form.
func Reference(n int) string { return fmt.Sprintf("%032X", 0xA000_0000_0000+n) }

func Golden(t *testing.T, name string, got []byte) []byte {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return want
}

// Together runs f in n goroutines that start at once, and waits for all.
func Together(n int, f func(i int)) {
	start, done := make(chan struct{}), make(chan struct{})
	for i := range n {
		go func() {
			defer func() { done <- struct{}{} }()
			<-start
			f(i)
		}()
	}
	close(start)
	for range n {
		<-done
	}
}
