package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/ledger"
)

func (a *app) suppressCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "suppress COMMAND",
		Short: "Keep the list of phone numbers that are never sent to",
		Long: "Keep the list of phone numbers that are never sent to, by any campaign. A\n" +
			"recipient's STOP and Telesign's codes 3046 and 3052 put numbers on it by\n" +
			"themselves, a START takes one off; docs/suppression.md has the rules. The list is\n" +
			"asked right before each send.",
		// Whatever else stands here may be a number, so it isn't repeated.
		Args: func(*cobra.Command, []string) error {
			return usagef("suppress: a command is missing: add, remove, check, list or import; see handout suppress --help")
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }, // never reached: see Args
	}
	cmd.AddCommand(a.suppressAdd(), a.suppressRemove(), a.suppressCheck(), a.suppressList(), a.suppressImport())
	return cmd
}

// ofNumber is a command about one number.
func (a *app) ofNumber(use, short string, do func(ctx context.Context, l *suppression.List, phone string) error) *cobra.Command {
	return &cobra.Command{
		Use: use + " PHONE", Short: short,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 { // parts of a number, most likely: not repeated
				return usagef("%s takes one number; one with blanks needs quotes", name(cmd))
			}
			return arguments(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.load()
			if err != nil {
				return err
			}
			phone, err := phone.Normalize(args[0], c.Region)
			if err != nil {
				return usagef("%s: PHONE: %w", name(cmd), err)
			}
			return a.withLedger(cmd.Context(), func(rdb redis.UniversalClient, _ *ledger.Ledger) error {
				l := suppression.New(rdb)
				return do(cmd.Context(), l, phone)
			})
		},
	}
}

// hand is what a person says of an entry.
type hand struct{ why, by string }

func (h *hand) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&h.why, "why", "", "what for, in a line of your own")
	cmd.Flags().StringVar(&h.by, "by", "", "who does it (default: the login name)")
}

func (h *hand) entry() (suppression.Entry, error) {
	s := suppression.Entry{At: time.Now(), Why: suppression.WhyHand, By: h.by, Note: h.why}
	if s.By == "" {
		s.By = loginName()
	}
	if err := s.Check(); err != nil {
		return s, usageError{err}
	}
	return s, nil
}

func (a *app) suppressAdd() *cobra.Command {
	var h hand
	cmd := a.ofNumber("add", "Put a number on the list", func(ctx context.Context, l *suppression.List, phone string) error {
		s, err := h.entry()
		if err != nil {
			return err
		}
		added, err := l.Add(ctx, phone, s)
		if err != nil {
			return err
		}
		if added {
			fmt.Fprintln(a.stdout, "the number is on the list: nothing is sent to it any more")
			return nil
		}
		return a.describeEntry(ctx, l, phone, "was on the list already")
	})
	h.flags(cmd)
	return cmd
}

func (a *app) suppressRemove() *cobra.Command {
	return a.ofNumber("remove", "Take a number off the list", func(ctx context.Context, l *suppression.List, phone string) error {
		there, err := l.Remove(ctx, phone)
		if err != nil {
			return err
		}
		if there {
			fmt.Fprintln(a.stdout, "the number is off the list. Who was left out because of it stays left out.")
		} else {
			fmt.Fprintln(a.stdout, "the number wasn't on the list")
		}
		return nil
	})
}

func (a *app) suppressCheck() *cobra.Command {
	return a.ofNumber("check", "Say whether a number is on the list, and why", func(ctx context.Context, l *suppression.List, phone string) error {
		return a.describeEntry(ctx, l, phone, "is on the list")
	})
}

// describeEntry says of a number how it came on the list, without naming it.
func (a *app) describeEntry(ctx context.Context, l *suppression.List, phone, how string) error {
	s, listed, err := l.Find(ctx, phone)
	if err != nil {
		return err
	}
	if !listed {
		fmt.Fprintln(a.stdout, "the number isn't on the list")
		return nil
	}
	text := fmt.Sprintf("the number %s, since %s: %s", how, s.At.Format(time.RFC3339), s.Reason())
	if s.Campaign != "" {
		text += fmt.Sprintf(" (campaign %s)", s.Campaign)
	}
	if s.By != "" {
		text += ", by " + s.By
	}
	fmt.Fprintln(a.stdout, text)
	return nil
}

// suppressedRow is a number of the list in JSON; in CSV it has the same columns.
type suppressedRow struct {
	Phone    string `json:"phone"`
	Since    string `json:"since"`
	Why      string `json:"why"`
	Campaign string `json:"campaign"`
	By       string `json:"by"`
}

func rowOf(n suppression.Number) suppressedRow {
	return suppressedRow{n.Phone, n.At.Format(time.RFC3339), n.Reason(), string(n.Campaign), n.By}
}

func (a *app) suppressList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Write the list, in no order",
		Long: "Write the list, in no order, as CSV: phone, since, why, campaign, by. What it\n" +
			"writes is what suppress import reads.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withLedger(cmd.Context(), func(rdb redis.UniversalClient, _ *ledger.Ledger) error {
				l := suppression.New(rdb)
				return a.listSuppressed(cmd.Context(), l, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write NDJSON: an object a line")
	return cmd
}

func (a *app) listSuppressed(ctx context.Context, l *suppression.List, asJSON bool) error {
	out := bufio.NewWriter(a.stdout)
	if asJSON {
		e := json.NewEncoder(out)
		e.SetEscapeHTML(false)
		if err := l.Each(ctx, func(n suppression.Number) error { return e.Encode(rowOf(n)) }); err != nil {
			return err
		}
		return out.Flush()
	}
	w := csv.NewWriter(out)
	if err := w.Write(strings.Split("phone,since,why,campaign,by", ",")); err != nil {
		return err
	}
	err := l.Each(ctx, func(n suppression.Number) error {
		r := rowOf(n)
		return w.Write([]string{r.Phone, r.Since, r.Why, r.Campaign, r.By})
	})
	if err != nil {
		return err
	}
	if w.Flush(); w.Error() != nil {
		return w.Error()
	}
	return out.Flush()
}
