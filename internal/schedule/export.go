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

// maxOutput is how much of an export's output is read, in bytes.
const maxOutput = 1 << 20

// export runs a program that opens a campaign itself, and returns which. If the
// program is killed, the tick isn't refused but begun again.
func (l *Lists) export(ctx context.Context, s *Schedule, p Period) (campaign.ID, error) {
	x, err := l.run(ctx, s.fillAll(s.Export, p), s.Env, p)
	if err != nil {
		return "", &refusal{refusedExport, err.Error()}
	}
	defer x.Close()
	out, err := io.ReadAll(io.LimitReader(x, maxOutput))
	var exit *exitError
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.As(err, &exit) && exit.killed():
		return "", fmt.Errorf("the export was killed: %s", exit.state)
	case err != nil:
		return "", failedBy(out, err)
	case len(out) == maxOutput:
		return "", &refusal{refusedExport, "the export printed over 1 MB, where it should name its campaign"}
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
		return "", &refusal{refusedExport, "the export ended well, and named no campaign on its last line"}
	}
	return id, nil
}

// lastWord reads the result of an export: a JSON object, which is all of the output
// or its last line, or that line as text.
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

// maxReason is how long an export's own reason may be, in bytes.
const maxReason = 500

// failedBy returns the error of a failed export: a refusal, in the export's words if
// it gave any, unless it asks to be begun again. Its standard error isn't read, since
// phone numbers may stand there.
func failedBy(out []byte, err error) error {
	var said struct {
		Refused string `json:"refused"`
		Reason  string `json:"reason"`
		Again   bool   `json:"again"`
	}
	if _, ok := lastWord(out, &said); !ok || said.Reason == "" {
		return &refusal{refusedExport, err.Error()}
	}
	reason := strings.Join(strings.Fields(said.Reason), " ")
	if len(reason) > maxReason {
		reason = strings.ToValidUTF8(reason[:maxReason], "") + "…"
	}
	if said.Again {
		return fmt.Errorf("the export says: %s", reason)
	}
	no := &refusal{refusedExport, reason}
	for _, kind := range []string{refusedEmpty, refusedDrift, refusedSource, refusedRows, refusedCampaign} {
		if said.Refused == kind {
			no.Kind = kind
		}
	}
	return no
}
