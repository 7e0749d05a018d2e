package producer_test

import (
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/installation"
	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/test/redistest"
)

func TestSubmit_IsHeldUntilARestoreIsClosed(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	from := time.Now().Add(-time.Hour)
	if err := installation.NoteRestore(t.Context(), s.Client(), &installation.Restore{From: from, Noticed: time.Now(), Held: true}); err != nil {
		t.Fatal(err)
	}
	p := producer.New(s.Client())
	result, err := p.Submit(t.Context(), parse(t, fileThenText), list(listOf(3)), producer.SubmitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if info := result.Info; info.Phase != campaign.Held || info.Reason != campaign.RestoredReason(from, false) {
		t.Errorf("%s: %s", info.Phase, info.Reason)
	}
	if err := installation.CloseRestore(t.Context(), s.Client()); err != nil {
		t.Fatal(err)
	}
	s.Client().FlushAll(t.Context())
	if result, err = p.Submit(t.Context(), parse(t, fileThenText), list(listOf(3)), producer.SubmitOptions{}); err != nil || result.Info.Phase != campaign.Running {
		t.Errorf("once it is closed: %+v, %v", result, err)
	}
}
