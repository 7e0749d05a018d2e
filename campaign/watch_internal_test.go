package campaign

import "testing"

func TestSignalOf_WhatAChangeTells(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		event    EventKind
		from, to State
		want     signal
	}{
		{EventClaim, Planned, Claimed, noSignal},
		{EventClaim, Retrying, Claimed, noSignal},
		{EventDefer, Claimed, Retrying, noSignal},
		{EventResend, Failed, Retrying, noSignal},

		// The row of doubts: only of requests that Telesign didn't answer.
		{EventDoubt, Claimed, InDoubt, signalDoubt},
		{EventOverdue, Claimed, InDoubt, noSignal}, // its worker was lost
		{EventOverdue, InDoubt, InDoubt, noSignal}, // its deadline has passed
		{EventDoubt, InDoubt, InDoubt, noSignal},   // said twice
		{EventReceipt, InDoubt, Accepted, noSignal},

		{EventAccept, Claimed, Accepted, signalTaken},
		{EventAccept, InDoubt, Accepted, signalTaken}, // a stalled worker knows better after all
		{EventAccept, Retrying, Accepted, signalTaken},
		{EventAccept, Accepted, Accepted, noSignal},
		{EventAccept, Delivered, Delivered, noSignal}, // overtaken by the receipt
		{EventReceipt, Claimed, Accepted, noSignal},

		{EventRefuse, Claimed, Refused, signalRefuse},
		{EventRefuse, Planned, Refused, signalRefuse},
		{EventRefuse, InDoubt, Refused, signalRefuse},
		{EventRefuse, Refused, Refused, noSignal},

		// Outcomes: the first final state.
		{EventReceipt, Accepted, Failed, signalFail},
		{EventReceipt, InDoubt, Failed, signalFail},
		{EventReceipt, Planned, Failed, signalFail},
		{EventReceipt, Unconfirmed, Failed, noSignal},
		{EventReceipt, Failed, Failed, noSignal},
		{EventReceipt, Accepted, Delivered, signalGood},
		{EventReceipt, Claimed, Delivered, signalGood},
		{EventReceipt, Retrying, Delivered, signalGood},
		{EventReceipt, Failed, Delivered, noSignal},
		{EventReceipt, Refused, Delivered, noSignal},
		{EventReceipt, Delivered, Delivered, noSignal},
		{EventOverdue, Accepted, Unconfirmed, signalGood},

		// Never sent to: no outcome. After a resend it may have been.
		{EventCancel, Planned, Canceled, noSignal},
		{EventSuppress, Retrying, Suppressed, noSignal},
		{EventCancel, Retrying, Unconfirmed, signalGood},

		{EventAcceptAsSent, InDoubt, Unconfirmed, noSignal}, // a person's word
	} {
		if got := signalOf(c.event, c.from, c.to); got != c.want {
			t.Errorf("%s, %s to %s: %q, want %q", c.event, c.from, c.to, got, c.want)
		}
	}
}
