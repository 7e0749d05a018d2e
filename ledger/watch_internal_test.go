package ledger

import (
	"testing"

	"github.com/handout-dev/handout/campaign"
)

func TestSignalOf_WhatAChangeTells(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		event    campaign.EventKind
		from, to campaign.State
		want     signal
	}{
		{campaign.EventClaim, campaign.Planned, campaign.Claimed, noSignal},
		{campaign.EventClaim, campaign.Retrying, campaign.Claimed, noSignal},
		{campaign.EventDefer, campaign.Claimed, campaign.Retrying, noSignal},
		{campaign.EventResend, campaign.Failed, campaign.Retrying, noSignal},

		// The row of doubts: only of requests that Telesign didn't answer.
		{campaign.EventDoubt, campaign.Claimed, campaign.InDoubt, signalDoubt},
		{campaign.EventOverdue, campaign.Claimed, campaign.InDoubt, noSignal}, // its worker was lost
		{campaign.EventOverdue, campaign.InDoubt, campaign.InDoubt, noSignal}, // its deadline has passed
		{campaign.EventDoubt, campaign.InDoubt, campaign.InDoubt, noSignal},   // said twice
		{campaign.EventReceipt, campaign.InDoubt, campaign.Accepted, noSignal},

		{campaign.EventAccept, campaign.Claimed, campaign.Accepted, signalTaken},
		{campaign.EventAccept, campaign.InDoubt, campaign.Accepted, signalTaken}, // a stalled worker knows better after all
		{campaign.EventAccept, campaign.Retrying, campaign.Accepted, signalTaken},
		{campaign.EventAccept, campaign.Accepted, campaign.Accepted, noSignal},
		{campaign.EventAccept, campaign.Delivered, campaign.Delivered, noSignal}, // overtaken by the receipt
		{campaign.EventReceipt, campaign.Claimed, campaign.Accepted, noSignal},

		{campaign.EventRefuse, campaign.Claimed, campaign.Refused, signalRefuse},
		{campaign.EventRefuse, campaign.Planned, campaign.Refused, signalRefuse},
		{campaign.EventRefuse, campaign.InDoubt, campaign.Refused, signalRefuse},
		{campaign.EventRefuse, campaign.Refused, campaign.Refused, noSignal},

		// Outcomes: the first final state.
		{campaign.EventReceipt, campaign.Accepted, campaign.Failed, signalFail},
		{campaign.EventReceipt, campaign.InDoubt, campaign.Failed, signalFail},
		{campaign.EventReceipt, campaign.Planned, campaign.Failed, signalFail},
		{campaign.EventReceipt, campaign.Unconfirmed, campaign.Failed, noSignal},
		{campaign.EventReceipt, campaign.Failed, campaign.Failed, noSignal},
		{campaign.EventReceipt, campaign.Accepted, campaign.Delivered, signalGood},
		{campaign.EventReceipt, campaign.Claimed, campaign.Delivered, signalGood},
		{campaign.EventReceipt, campaign.Retrying, campaign.Delivered, signalGood},
		{campaign.EventReceipt, campaign.Failed, campaign.Delivered, noSignal},
		{campaign.EventReceipt, campaign.Refused, campaign.Delivered, noSignal},
		{campaign.EventReceipt, campaign.Delivered, campaign.Delivered, noSignal},
		{campaign.EventOverdue, campaign.Accepted, campaign.Unconfirmed, signalGood},

		// Never sent to: no outcome. After a resend it may have been.
		{campaign.EventCancel, campaign.Planned, campaign.Canceled, noSignal},
		{campaign.EventSuppress, campaign.Retrying, campaign.Suppressed, noSignal},
		{campaign.EventCancel, campaign.Retrying, campaign.Unconfirmed, signalGood},

		{campaign.EventAcceptAsSent, campaign.InDoubt, campaign.Unconfirmed, noSignal}, // a person's word
	} {
		if got := signalOf(c.event, c.from, c.to); got != c.want {
			t.Errorf("%s, %s to %s: %q, want %q", c.event, c.from, c.to, got, c.want)
		}
	}
}
