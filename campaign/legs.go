package campaign

import (
	"cmp"
	"fmt"
	"slices"
)

// The channels that a record knows, as indexes of [Record.Legs]. The order is part of
// the stored form: new ones go before OtherChannel, with a version of their own.
const (
	WhatsApp = iota
	SMS
	RCS
	Viber
	MMS
	Email
	// OtherChannel is a channel that Telesign doesn't document yet. Of several, a
	// record keeps the one that got furthest.
	OtherChannel
	legCount
)

// channelNames are Telesign's names of them.
var channelNames = [OtherChannel]string{"whatsapp", "sms", "rcs", "viber", "mms", "email"}

// Legs are what is known of each channel, by their indexes.
type Legs [legCount]Leg

// ChannelLeg is what is known of one channel, or what a receipt says of it.
type ChannelLeg struct {
	Channel string // Telesign's name of it
	Leg
}

// Legs returns what is known of each channel that a receipt has named, in the order of
// the cascade; channels outside it come last. to is whose record it is; in a standing
// campaign the cascade is in their message.
func (s *Spec) Legs(to *Recipient, r *Record) []ChannelLeg {
	n := 0
	for i := range r.Legs {
		if r.Legs[i].Rank != RankNone {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	legs := make([]ChannelLeg, 0, n)
	for i := range r.Legs {
		if r.Legs[i].Rank == RankNone {
			continue
		}
		name := r.OtherName
		if i != OtherChannel {
			name = channelNames[i]
		}
		legs = append(legs, ChannelLeg{name, r.Legs[i]})
	}
	if n == 1 {
		return legs
	}
	cascade := s.Channels
	if s.Standing && to != nil && len(to.Values) > 0 { // a key's name may follow
		if own, err := DecodeSpec([]byte(to.Values[0])); err == nil {
			cascade = own.Channels
		}
	}
	place := func(l ChannelLeg) int {
		i := slices.IndexFunc(cascade, func(ch Channel) bool { return ch.Channel == l.Channel })
		if i < 0 {
			return len(cascade)
		}
		return i
	}
	slices.SortStableFunc(legs, func(a, b ChannelLeg) int { return cmp.Compare(place(a), place(b)) })
	return legs
}

// DeliveredChannels returns the names of the channels that delivered, in the order of
// the legs.
func DeliveredChannels(legs []ChannelLeg) []string {
	names := []string{}
	for _, l := range legs {
		if l.Rank >= RankDelivered {
			names = append(names, l.Channel)
		}
	}
	return names
}

func (r *Record) mergeLeg(l ChannelLeg) {
	if l.Rank == RankNone {
		return
	}
	if i := slices.Index(channelNames[:], l.Channel); i >= 0 {
		r.Legs[i] = r.Legs[i].merge(l.Leg)
		return
	}
	name := l.Channel[:min(len(l.Channel), maxOtherName)]
	other := &r.Legs[OtherChannel]
	merged := other.merge(l.Leg)
	if !merged.says(*other) || (merged.says(l.Leg) && name > r.OtherName) {
		*other, r.OtherName = merged, name
	}
}

// DeliveredBy says which channels delivered.
type DeliveredBy uint8

// The sets of channels: WhatsApp alone, SMS alone, these two, and every set with
// another channel in it. A delivery of which the channel isn't known is other, too.
const (
	ByNone DeliveredBy = iota
	ByWhatsApp
	BySMS
	ByBoth
	ByOther
	byCount
)

var byNames = [byCount]string{"", "whatsapp", "sms", "both", "other"}

// String is the set's name in reports and exports.
func (d DeliveredBy) String() string {
	if d < byCount {
		return byNames[d]
	}
	return fmt.Sprintf("DeliveredBy(%d)", d)
}

// DeliveredBy is the set of channels that delivered.
func (r *Record) DeliveredBy() DeliveredBy {
	for i := SMS + 1; i < legCount; i++ {
		if r.Legs[i].Rank >= RankDelivered {
			return ByOther
		}
	}
	w, s := r.Legs[WhatsApp].Rank >= RankDelivered, r.Legs[SMS].Rank >= RankDelivered
	switch {
	case w && s:
		return ByBoth
	case w:
		return ByWhatsApp
	case s:
		return BySMS
	case r.State == Delivered:
		return ByOther
	}
	return ByNone
}

func (r *Record) delivered() bool { return r.furthest() >= RankDelivered }

// Read says whether a channel reported that the message was read.
func (r *Record) Read() bool { return r.furthest() == RankRead }

// furthest is the highest rank of the transaction and its channels.
func (r *Record) furthest() Rank {
	rank := r.Status.Rank
	for i := range r.Legs {
		rank = max(rank, r.Legs[i].Rank)
	}
	return rank
}
