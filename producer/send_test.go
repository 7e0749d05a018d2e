package producer_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/test/redistest"
)

func receipt(key string) producer.OneOff {
	return producer.OneOff{
		Key: key, Recipient: "customer-7", Phone: "+1 202 555 0107", MessageType: "ARN",
		Channels: []campaign.Channel{
			{Channel: "whatsapp", FallbackTime: 60, Template: "file", Parameters: map[string]string{"url": "https://files.example.com/7.pdf"}},
			{Channel: "sms", Template: "text", Parameters: map[string]string{"text": "Your receipt: https://files.example.com/7.pdf"}},
		},
	}
}

func TestSend_OnceForEachKey(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client()
	c := producer.New(rdb)
	first, err := c.Send(t.Context(), receipt("order-7"))
	if err != nil || first.Already {
		t.Fatalf("%+v, %v", first, err)
	}
	again, err := c.Send(t.Context(), receipt("order-7"))
	if err != nil || !again.Already || again.Place != first.Place || again.Campaign != first.Campaign {
		t.Errorf("again: %+v, %v", again, err)
	}
	other := receipt("order-7")
	other.Phone = "+12025550108"
	if _, err := c.Send(t.Context(), other); !errors.Is(err, ledger.ErrOtherContent) {
		t.Errorf("another number under the same key: %v", err)
	}
	second, err := c.Send(t.Context(), receipt("order-8"))
	if err != nil || second.Already || second.Place == first.Place {
		t.Errorf("%+v, %v", second, err)
	}
	b, err := ledger.New(rdb).Balance(t.Context(), first.Campaign)
	if err != nil || b.Of(campaign.Planned) != 2 || b.Total() != 2 {
		t.Errorf("%+v, %v", b, err)
	}
}

func TestSend_IsHeldToTheRulesOfLists(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client()
	for name, spoil := range map[string]func(*producer.OneOff){
		"number":        func(s *producer.OneOff) { s.Phone = "+1 202 555" },
		"letters":       func(s *producer.OneOff) { s.Phone = "+1 202 555 0107 Ann" },
		"two numbers":   func(s *producer.OneOff) { s.Phone = "+1 202 555 0107 / 0108" },
		"an extension":  func(s *producer.OneOff) { s.Phone = "+1 202 555 0107 x12" },
		"recipient":     func(s *producer.OneOff) { s.Recipient = "" },
		"message type":  func(s *producer.OneOff) { s.MessageType = "SPAM" },
		"channels":      func(s *producer.OneOff) { s.Channels = nil },
		"fallback time": func(s *producer.OneOff) { s.Channels[0].FallbackTime = 3 },
		"url":           func(s *producer.OneOff) { s.Channels[0].Parameters["url"] = "files.example.com" },
		"column":        func(s *producer.OneOff) { s.Channels[1].Parameters["text"] = "Dear {{.name}}" },
	} {
		s := receipt(name)
		spoil(&s)
		_, err := producer.New(rdb).Send(t.Context(), s)
		var faults *producer.Faults
		if !errors.As(err, &faults) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if strings.Contains(err.Error(), "555") {
			t.Errorf("%s: the error shows the number: %v", name, err)
		}
	}
	if _, err := producer.New(rdb).Send(t.Context(), receipt("")); !errors.Is(err, producer.ErrNoKey) {
		t.Errorf("without a key: %v", err)
	}
	if n := rdb.DBSize(t.Context()).Val(); n != 0 {
		t.Errorf("%d keys are left in Redis", n)
	}
}
