package main

import (
	"context"
	"fmt"
	"os"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/producer"
)

func (a *app) suppressImport() *cobra.Command {
	var h hand
	var setAside bool
	cmd := &cobra.Command{
		Use:   "import FILE.csv",
		Short: "Put the numbers of a file on the list",
		Long: "Put the numbers of a file on the list. It is CSV with a header: a column phone and,\n" +
			"if you like, a column why; other columns are left alone. Who is on the list already\n" +
			"keeps the first entry, so that running it twice changes nothing.",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.load()
			if err != nil {
				return err
			}
			entry, err := h.entry()
			if err != nil {
				return err
			}
			normalize, err := phone.Normalizer(c.Region)
			if err != nil {
				return err
			}
			return a.withLedger(cmd.Context(), func(rdb redis.UniversalClient, _ *ledger.Ledger) error {
				l := suppression.New(rdb)
				return a.importNumbers(cmd.Context(), l, numberFile{args[0], normalize, entry}, setAside)
			})
		},
	}
	h.flags(cmd)
	cmd.Flags().BoolVar(&setAside, "set-aside-bad-rows", false, "import the good rows and report the bad ones; otherwise any bad row rejects the file")
	return cmd
}

// numberFile is a file of numbers, and what to make of its rows.
type numberFile struct {
	path      string
	normalize func(string) (string, error)
	entry     suppression.Entry // of each, but for a reason of its own
}

// each reads the file from its beginning.
func (f *numberFile) each(ctx context.Context, bad func(producer.Fault), take func(*suppression.Reader, []suppression.Number) error) (*suppression.Reader, error) {
	in, err := os.Open(f.path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	r := &suppression.Reader{Name: f.path, Normalize: f.normalize, Entry: f.entry, Bad: bad}
	return r, r.Each(ctx, in, func(numbers []suppression.Number) error { return take(r, numbers) })
}

// importNumbers reads the file twice, to check all of it before anything of it
// is on the list.
func (a *app) importNumbers(ctx context.Context, l *suppression.List, file numberFile, setAside bool) error {
	line := newLiveLine(a.stderr)
	progress := func(rows int, what string) {
		if line.live {
			line.show(fmt.Sprintf("%d rows %s", rows, what))
		}
	}
	name := func(f producer.Fault) {
		line.end()
		line.n = 0
		fmt.Fprintln(a.stderr, f)
	}
	check, err := file.each(ctx, name, func(r *suppression.Reader, _ []suppression.Number) error {
		progress(r.Rows, "checked")
		return nil
	})
	line.end()
	if err != nil {
		return err
	}
	if check.BadRows > 0 && !setAside {
		return fmt.Errorf("nothing was imported: %s; --set-aside-bad-rows imports the others", plural(check.BadRows, "bad row"))
	}
	added := 0
	line = newLiveLine(a.stderr)
	named := func(producer.Fault) {} // they have been
	i, err := file.each(ctx, named, func(r *suppression.Reader, numbers []suppression.Number) error {
		n, err := l.AddAll(ctx, numbers)
		added += n
		progress(r.Rows, "imported")
		return err
	})
	line.end()
	if err != nil {
		return fmt.Errorf("%w; %s imported; the same command again finishes the job", err, plural(added, "number"))
	}
	text := fmt.Sprintf("%s: %s added, %d on the list already", plural(i.Rows, "row"), plural(added, "number"), i.Rows-i.BadRows-added)
	if i.BadRows > 0 {
		text += fmt.Sprintf(", %s set aside", plural(i.BadRows, "bad row"))
	}
	fmt.Fprintln(a.stdout, text)
	return nil
}
