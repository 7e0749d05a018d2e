package operations

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/telesign"
)

const (
	// capabilitySample is how many numbers of a list are asked about, one after the
	// other: whether such questions count against the account's rate isn't documented.
	capabilitySample = 20
	// capabilityTime bounds them all.
	capabilityTime = 5 * time.Second
)

// usesRCS reports whether a campaign's cascade has RCS, the only channel of which
// Telesign says who can take it.
func usesRCS(f *producer.File) bool {
	for _, ch := range f.Spec.Channels {
		if ch.Channel == telesign.ChannelRCS {
			return true
		}
	}
	return false
}

// rcsNote says how many of some numbers can take RCS, or why that isn't known.
func rcsNote(ctx context.Context, client *Telesign, numbers []string) string {
	const unknown = "how many can take RCS isn't known: "
	if client == nil {
		return unknown + noCredentials
	}
	ctx, cancel := context.WithTimeout(ctx, capabilityTime)
	defer cancel()
	asked, can := 0, 0
	var failed error
	for _, number := range numbers {
		var yes bool
		failed = patiently(ctx, func() (err error) {
			yes, err = client.Capable(ctx, telesign.ChannelRCS, strings.TrimPrefix(number, "+"))
			return err
		})
		if failed != nil {
			break
		}
		if asked++; yes {
			can++
		}
	}
	if asked == 0 && failed == nil {
		return ""
	}
	why := ""
	if failed != nil {
		why = refusedCapability(ctx, failed)
	}
	if asked == 0 {
		return unknown + why
	}
	note := fmt.Sprintf("%d of %d sampled numbers can take RCS", can, asked)
	if why != "" {
		note += "; then " + why
	}
	return note
}

func refusedCapability(ctx context.Context, err error) string {
	var e *telesign.Error
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Sprintf("the %s for it were over", capabilityTime)
	case errors.As(err, &e) && e.Code == telesign.CodeNoCapabilities:
		return fmt.Sprintf("Telesign: %d %s; its support enables it", e.Code, e.Code.Text())
	}
	return unlisted(ctx, err)
}
