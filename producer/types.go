package producer

import (
	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/campaignfile"
	"github.com/handout-dev/handout/ledger"
)

// What a program must name to submit, from package campaign: the same types under
// a name of this package.
type (
	ID        = campaign.ID        // of a campaign, chosen by the caller
	Spec      = campaign.Spec      // what a campaign sends and how, see [NewFile]
	Channel   = campaign.Channel   // one step of the cascade
	Hours     = campaign.Hours     // when people may be sent to
	Lane      = campaign.Lane      // bulk or urgent
	OnDoubt   = campaign.OnDoubt   // what to do in doubt
	FileCheck = campaign.FileCheck // whose files are looked at before the first send
	Beginning = campaign.Beginning // when a campaign begins, and by whom
	Actor     = campaign.Actor     // who steers a campaign, and why
)

// A campaign file, and what is wrong in one or in a list, from package campaignfile.
type (
	File   = campaignfile.File   // a campaign file that has been read and found right
	Fault  = campaignfile.Fault  // one thing that is wrong, and where
	Faults = campaignfile.Faults // every fault, as an error
)

const (
	// MaxCampaignFile is the longest campaign file, in bytes.
	MaxCampaignFile = campaignfile.MaxBytes
	// MaxFaults is how many faults are kept, unless more are asked for; the others
	// are only counted.
	MaxFaults = campaignfile.MaxFaults
)

// ParseCampaign reads a campaign file, as [campaignfile.Parse] does. The error is
// [*Faults].
func ParseCampaign(name string, src []byte) (*File, error) { return campaignfile.Parse(name, src) }

// NewFile makes a campaign file in Go, as [campaignfile.New] does. The error is
// [*Faults].
func NewFile(spec Spec) (*File, error) { return campaignfile.New(spec) }

// Values of a [Spec].
const (
	LaneBulk      = campaign.LaneBulk
	LaneUrgent    = campaign.LaneUrgent
	DoubtHold     = campaign.DoubtHold   // leave it to a receipt, or to a person
	DoubtResend   = campaign.DoubtResend // send again: it may arrive twice
	CheckNone     = campaign.CheckNone
	CheckSample   = campaign.CheckSample
	CheckAll      = campaign.CheckAll
	ZoneRecipient = campaign.ZoneRecipient // each recipient's own
)

// What becomes of a campaign and its people, from package campaign.
type (
	Info        = campaign.Info        // what a campaign is
	Phase       = campaign.Phase       // the state of a whole campaign
	State       = campaign.State       // what became of one recipient
	Place       = campaign.Place       // where a recipient stands in the list
	Balance     = campaign.Balance     // how many recipients are in each state
	DeliveredBy = campaign.DeliveredBy // the channels that delivered
	ChannelLeg  = campaign.ChannelLeg  // what is known of one channel
)

// The phases of a campaign.
const (
	PhaseDraft    = campaign.Draft    // its list is being written
	PhaseRunning  = campaign.Running  // it sends
	PhasePaused   = campaign.Paused   // by a person, or until its start
	PhaseHeld     = campaign.Held     // paused by handout, for a reason
	PhaseCanceled = campaign.Ended    // by a person, for good
	PhaseSettling = campaign.Settling // everyone is sent to; outcomes are still to come
	PhaseDone     = campaign.Done     // nothing is left that handout does by itself
)

// The states of a recipient. See [State.Final] for those in which handout has
// nothing more to do.
const (
	Planned     = campaign.Planned
	Claimed     = campaign.Claimed
	Retrying    = campaign.Retrying
	Accepted    = campaign.Accepted
	InDoubt     = campaign.InDoubt // may have been sent; a receipt or a person settles it
	Delivered   = campaign.Delivered
	Failed      = campaign.Failed
	Refused     = campaign.Refused
	Suppressed  = campaign.Suppressed
	Canceled    = campaign.Canceled
	Unconfirmed = campaign.Unconfirmed // no receipt came in time
)

// Which channels delivered.
const (
	ByNone     = campaign.ByNone
	ByWhatsApp = campaign.ByWhatsApp
	BySMS      = campaign.BySMS
	ByBoth     = campaign.ByBoth
	ByOther    = campaign.ByOther
)

// Errors of the packages below, which callers tell apart.
var (
	// ErrNotFound means that there is no such campaign, or no such recipient.
	ErrNotFound = ledger.ErrNotFound
	// ErrPurged means that the campaign's people are gone; its counts stay.
	ErrPurged = campaign.ErrPurged
	// ErrCanceled means that the campaign was canceled.
	ErrCanceled = campaign.ErrCanceled
	// ErrOtherContent means that the key of a one-off send was used before, for
	// another recipient or message.
	ErrOtherContent = ledger.ErrOtherContent
)
