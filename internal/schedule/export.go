package schedule

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/handout-dev/handout/campaign"
)

// mostOutput is of an export, which says what it did.
const mostOutput = 1 << 20

// export runs a program that opens a campaign itself, and returns which. One
// that is killed isn't refused: it may be begun again.
func (l *Lists) export(ctx context.Context, s *Schedule, p Period) (campaign.ID, error) {
	x, err := l.run(ctx, s.fillAll(s.Export, p), p)
	if err != nil {
		return "", &Refusal{RefusedExport, err.Error()}
	}
	defer x.Close()
	out, err := io.ReadAll(io.LimitReader(x, mostOutput))
	var exit *exitError
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.As(err, &exit) && exit.killed():
		return "", fmt.Errorf("the export was killed: %s", exit.state)
	case err != nil:
		return "", failedBy(out, err)
	case len(out) == mostOutput:
		return "", &Refusal{RefusedExport, "the export printed over 1 MB, where it should name its campaign"}
	}
	var said struct {
		Campaign string `json:"campaign"`
	}
	name, object := lastWord(out, &said)
	if object {
		name = said.Campaign
	}
	id, err := campaign.ParseID(name)
	if err != nil {
		return "", &Refusal{RefusedExport, "the export ended well, and named no campaign on its last line"}
	}
	return id, nil
}

// lastWord reads what an export says at its end: a JSON object, all of the output
// or its last line, or just that line.
func lastWord(out []byte, object any) (line string, isObject bool) {
	out = bytes.TrimSpace(out)
	last := out[bytes.LastIndexByte(out, '\n')+1:]
	for _, text := range [][]byte{out, last} {
		if json.Unmarshal(text, object) == nil {
			return "", true
		}
	}
	return strings.TrimSpace(string(last)), false
}

// mostReason is how long an export's own reason may be, in bytes.
const mostReason = 500

// failedBy is what the failure of an export comes to: a refusal, in its own words
// if it gave any, unless it asks to be begun again. What it wrote to standard
// error isn't looked at: who knows whose numbers stand there.
func failedBy(out []byte, err error) error {
	var said struct {
		Refused string `json:"refused"`
		Reason  string `json:"reason"`
		Again   bool   `json:"again"`
	}
	if _, ok := lastWord(out, &said); !ok || said.Reason == "" {
		return &Refusal{RefusedExport, err.Error()}
	}
	reason := strings.Join(strings.Fields(said.Reason), " ")
	if len(reason) > mostReason {
		reason = strings.ToValidUTF8(reason[:mostReason], "") + "…"
	}
	if said.Again {
		return fmt.Errorf("the export says: %s", reason)
	}
	no := &Refusal{RefusedExport, reason}
	for _, kind := range []string{RefusedEmpty, RefusedDrift, RefusedSource, RefusedRows, RefusedCampaign} {
		if said.Refused == kind {
			no.Kind = kind
		}
	}
	return no
}
