package rescue

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/terminal"
	"github.com/handout-dev/handout/internal/vendorreport"
)

// RecoverCommand is handout recover.
func (p *Program) RecoverCommand() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use: "recover", Short: "After Redis was put back from a copy: what is open, and what to do next",
		Long: "After Redis was put back from a copy: show which campaigns are held for it, how many\n" +
			"people may have been sent to since, and what to do next. It changes nothing.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.Operate(cmd.Context(), func(o *operations.Operations) error {
				r, err := o.Recovery(cmd.Context())
				if err != nil {
					return err
				}
				return p.showRecovery(r, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	cmd.AddCommand(p.holdCommand(), p.settleCommand(), p.closeCommand())
	return cmd
}

// held is a campaign in the JSON of handout recover, a contract.
type held struct {
	ID      campaign.ID `json:"campaign"`
	Open    int         `json:"open"`     // a resume sends to them, and some may have been sent to
	Claimed int         `json:"claimed"`  // soon in doubt, if no receipt comes
	InDoubt int         `json:"in_doubt"` // never sent to by themselves
	Waiting int         `json:"accepted"` // their receipts are still to come
	Since   int         `json:"settled_since"`
}

func (p *Program) showRecovery(r *operations.Recovery, asJSON bool) error {
	all := make([]held, len(r.Held))
	for i := range r.Held {
		a := &r.Held[i]
		all[i] = held{a.Info.ID, a.Open(), a.Balance.Of(campaign.Claimed), a.Balance.Of(campaign.InDoubt), a.Balance.Of(campaign.Accepted), a.Since}
	}
	if asJSON {
		out := struct {
			From    *time.Time    `json:"from"` // null: no recovery is open
			Before  bool          `json:"before,omitempty"`
			Noticed *time.Time    `json:"noticed,omitempty"`
			Held    []held        `json:"held"`
			Drafts  []campaign.ID `json:"drafts"`
		}{Held: all, Drafts: append([]campaign.ID{}, r.Drafts...)}
		if r.Restore != nil {
			out.From, out.Noticed, out.Before = &r.Restore.From, &r.Restore.Noticed, r.Restore.Before
		}
		return json.NewEncoder(p.Stdout).Encode(out)
	}
	w := p.Stdout
	if r.Restore == nil && len(all) == 0 {
		fmt.Fprintln(w, "no recovery is open")
		return nil
	}
	if r.Restore != nil {
		before := ""
		if r.Restore.Before {
			before = "before "
		}
		fmt.Fprintf(w, "Redis was put back to its state of %s%s; noticed at %s\n", before, r.Restore.From.Format(time.RFC3339), r.Restore.Noticed.Format(time.RFC3339))
		if !r.Restore.Held {
			fmt.Fprintln(w, "campaigns are not held yet: start a worker, or run handout recover hold")
		}
	}
	if len(all) > 0 {
		t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		fmt.Fprintln(t, "HELD\tOPEN\tCLAIMED\tIN DOUBT\tWAITING\tSETTLED SINCE")
		for _, c := range all {
			fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\n", c.ID, c.Open, c.Claimed, c.InDoubt, c.Waiting, c.Since)
		}
		if err := t.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(w, "OPEN may have been sent to since, and a resume sends to them: first settle them by Telesign's")
		fmt.Fprintln(w, "report (handout recover settle REPORT.csv), then handout resume or cancel each campaign")
	} else {
		fmt.Fprintln(w, "no campaign is held for it: finish with handout recover close")
	}
	if len(r.Drafts) > 0 {
		fmt.Fprintf(w, "drafts, which may have been submitted since, and sent: %s: submit them again only with --hold, and settle them, too\n", join(r.Drafts))
	}
	if r.Restore != nil {
		fmt.Fprintln(w, "what was submitted since isn't here; what is submitted now is held until handout recover close")
	}
	return nil
}

func join(ids []campaign.ID) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = string(id)
	}
	return strings.Join(words, ", ")
}

func (p *Program) holdCommand() *cobra.Command {
	var from string
	var by *campaign.Actor
	cmd := &cobra.Command{
		Use: "hold", Short: "Hold every campaign, since Redis was put back from a copy that handout didn't make",
		Long: "Hold every campaign that might send, since Redis was put back from a copy that handout\n" +
			"backup didn't make, before a worker is started. Workers do it by themselves when they\n" +
			"ran before, or find a copy that handout backup made.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var at time.Time
			if from != "" {
				var err error
				if at, err = time.Parse(time.RFC3339, from); err != nil {
					return p.Usage("recover hold: --from: %q is no time as in 2026-11-23T09:00:00Z", from)
				}
			}
			return p.Operate(cmd.Context(), func(o *operations.Operations) error {
				if err := o.NoteRestore(cmd.Context(), at, *by); err != nil {
					return err
				}
				r, err := o.Recovery(cmd.Context())
				if err != nil {
					return err
				}
				return p.showRecovery(r, false)
			})
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "when the copy was taken, as in 2026-11-23T09:00:00Z; empty: as the copy says itself")
	by = p.Actor(cmd)
	return cmd
}

func (p *Program) closeCommand() *cobra.Command {
	var by *campaign.Actor
	cmd := &cobra.Command{
		Use: "close", Short: "End a recovery: what is submitted from now on isn't held any more",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.Operate(cmd.Context(), func(o *operations.Operations) error {
				err := o.CloseRecovery(cmd.Context(), *by)
				if err == nil {
					fmt.Fprintln(p.Stdout, "the recovery is closed")
				}
				return err
			})
		},
	}
	by = p.Actor(cmd)
	return cmd
}

// settling are the flags of handout recover settle.
type settling struct {
	columns            vendorreport.Columns
	zone               string
	means, campaigns   []string
	since, until       string
	doubt, yes, asJSON bool
	by                 *campaign.Actor
}

func (p *Program) settleCommand() *cobra.Command {
	var s settling
	cmd := &cobra.Command{
		Use: "settle REPORT", Short: "Settle by Telesign's own report, a CSV, who was sent to since the copy",
		Long: "Settle by Telesign's own report, a CSV with a header, who was sent to since the copy.\n" +
			"Name its columns: an external ID decides, else a reference that is known here, else\n" +
			"a phone number with its date. It is shown first what the report says, and nothing is\n" +
			"changed without --yes, or a yes on the terminal. The same again does no harm.\n\n" +
			"The report must reach from the copy until Redis was lost, over everything that was\n" +
			"sent: who isn't in it is taken as not sent to, and a resume sends to them.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.settle(cmd.Context(), args[0], &s)
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.columns.ExternalID, "external-id", "", "the column of the external ID, which handout gave")
	f.StringVar(&s.columns.Reference, "reference", "", "the column of Telesign's reference")
	f.StringVar(&s.columns.Phone, "phone", "", "the column of the phone number; with --date")
	f.StringVar(&s.columns.Date, "date", "", "the column of the time at which it was sent")
	f.StringVar(&s.columns.Status, "status", "", "the column of the status: a code or a word")
	f.StringVar(&s.columns.Channel, "channel", "", "the column of the channel, as in whatsapp or sms")
	f.StringVar(&s.columns.Layout, "layout", "", "how dates are written, as Go has it: 02.01.2006 15:04:05")
	f.StringVar(&s.zone, "zone", "UTC", "the time zone of dates without one, as in Europe/Berlin")
	f.StringSliceVar(&s.means, "means", nil, "what a status means: WORD=not_sent, sent, delivered, read or failed")
	f.StringSliceVar(&s.campaigns, "campaign", nil, "only these campaigns for phone numbers, also if they aren't held")
	f.StringVar(&s.since, "since", "", "phone numbers of messages from then on; empty: since the copy")
	f.StringVar(&s.until, "until", "", "and until then; empty: now")
	f.BoolVar(&s.doubt, "ambiguous-in-doubt", false, "put those in doubt whom the report may mean or not, instead of refusing it")
	f.BoolVar(&s.yes, "yes", false, "do it")
	f.BoolVar(&s.asJSON, "json", false, "print one JSON object")
	s.by = p.Actor(cmd)
	return cmd
}

// query is what the flags say, without the rows.
func (p *Program) query(s *settling) (q operations.ReportQuery, err error) {
	if s.columns.Zone, err = time.LoadLocation(s.zone); err != nil {
		return q, p.Usage("recover settle: --zone: %w", err)
	}
	s.columns.Means = make(map[string]vendorreport.Meaning)
	for _, m := range s.means {
		word, name, _ := strings.Cut(m, "=")
		meaning, ok := vendorreport.ParseMeaning(name)
		if !ok || word == "" {
			return q, p.Usage("recover settle: --means: %q isn't as in REJECTED=not_sent", m)
		}
		s.columns.Means[strings.ToLower(word)] = meaning
	}
	for _, id := range s.campaigns {
		c, err := campaign.ParseID(id)
		if err != nil {
			return q, p.Usage("recover settle: --campaign: %w", err)
		}
		q.Campaigns = append(q.Campaigns, c)
	}
	for _, t := range []struct {
		name, text string
		to         *time.Time
	}{{"since", s.since, &q.Since}, {"until", s.until, &q.Until}} {
		if t.text == "" {
			continue
		}
		if *t.to, err = time.Parse(time.RFC3339, t.text); err != nil {
			return q, p.Usage("recover settle: --%s: %q is no time as in 2026-11-23T09:00:00Z", t.name, t.text)
		}
	}
	return q, nil
}

func (p *Program) settle(ctx context.Context, path string, s *settling) error {
	q, err := p.query(s)
	if err != nil {
		return err
	}
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	return p.Operate(ctx, func(o *operations.Operations) error {
		if q.Rows, err = o.ReadReport(in, s.columns); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		m, err := o.MatchReport(ctx, q)
		if err != nil {
			return err
		}
		out := struct {
			*operations.ReportMatch
			Done    bool `json:"done"`
			Changed int  `json:"changed"` // recipients
		}{ReportMatch: m}
		if !s.asJSON {
			p.showMatch(m)
		}
		if out.Done = s.yes || (p.asks() && p.confirmed()); out.Done {
			line := terminal.NewLine(p.Stderr)
			out.Changed, err = o.SettleReport(ctx, m, s.doubt, *s.by, func(done, all int) { line.Update("%d of %d recipients", done, all) })
			line.End()
			if err != nil {
				return err
			}
		}
		switch {
		case s.asJSON:
			return json.NewEncoder(p.Stdout).Encode(out)
		case out.Done:
			fmt.Fprintf(p.Stdout, "settled: %s changed; go on with handout recover\n", campaign.Count(out.Changed, "recipient"))
		default:
			fmt.Fprintln(p.Stdout, "nothing was changed; the same with --yes settles them")
		}
		return nil
	})
}

func (*Program) asks() bool { return term.IsTerminal(int(os.Stdin.Fd())) }

func (p *Program) confirmed() bool {
	fmt.Fprint(p.Stderr, "Settle them? [y/N] ")
	answer, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	return slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(answer)))
}

func (p *Program) showMatch(m *operations.ReportMatch) {
	w := p.Stdout
	fmt.Fprintf(w, "%s", campaign.Count(m.Rows, "row"))
	if !m.First.IsZero() {
		fmt.Fprintf(w, ", from %s to %s", m.First.Format(time.RFC3339), m.Last.Format(time.RFC3339))
	}
	fmt.Fprintln(w)
	for _, c := range []struct {
		n     int
		words string
	}{
		{m.ByExternalID, "name a recipient by the external ID"},
		{m.ByReference, "by the reference"},
		{m.ByPhone, "by the phone number and the time"},
		{m.NotSent, "weren't sent, by their status"},
		{m.Foreign, "are another application's, or of another campaign of the same name"},
		{m.Outside, "are of another time than from " + m.Since.Format(time.RFC3339) + " to " + m.Until.Format(time.RFC3339)},
		{m.Unmatched, "name no recipient here"},
		{m.Unknown, "are of campaigns that aren't here: submitted since the copy, or before another restore"},
		{m.Ambiguous, "are ambiguous: several recipients have the number, or several messages went to it"},
	} {
		if c.n > 0 {
			fmt.Fprintf(w, "  %d %s\n", c.n, c.words)
		}
	}
	if len(m.AmbiguousLines) > 0 {
		fmt.Fprintf(w, "  ambiguous lines: %s\n", strings.Trim(strings.Join(strings.Fields(fmt.Sprint(m.AmbiguousLines)), ", "), "[]"))
	}
	for _, id := range sorted(m.UnknownCampaigns) {
		fmt.Fprintf(w, "  not here: %s, %s: don't submit it again\n", id, campaign.Count(m.UnknownCampaigns[id], "row"))
	}
	for _, word := range sorted(m.UnknownWords) {
		fmt.Fprintf(w, "  status %q isn't known, in %s: taken as sent; --means says otherwise\n", word, campaign.Count(m.UnknownWords[word], "row"))
	}
	if len(m.Campaigns) == 0 {
		return
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "CAMPAIGN\tIN THE REPORT\tOF THEM OPEN\tAMBIGUOUS\tSTILL OPEN\tSTILL IN DOUBT")
	for _, c := range m.Campaigns {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\n", c.ID, c.Recipients, c.WereOpen, c.Ambiguous, c.Open, c.InDoubt)
	}
	_ = t.Flush() // as all of standard output
	for _, c := range m.Campaigns {
		if c.Purged {
			fmt.Fprintf(w, "%s was purged since the copy, and can't be read or sent: cancel it, and purge it when it is done\n", c.ID)
		}
	}
	fmt.Fprintln(w, "a resume sends to those who are still open; handout retry ID --only in_doubt to the others")
}

func sorted[K ~string](m map[K]int) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
