package main

import (
	"context"
	"fmt"
	"os"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
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
			normalize, err := producer.PhoneNormalizer(c.Region)
			if err != nil {
				return err
			}
			return a.withLedger(cmd.Context(), func(_ redis.UniversalClient, l *campaign.Ledger) error {
				return a.importNumbers(cmd.Context(), l, producer.NumberFile{Name: args[0], Normalize: normalize, Entry: entry}, setAside)
			})
		},
	}
	h.flags(cmd)
	cmd.Flags().BoolVar(&setAside, "set-aside-bad-rows", false, "import the good rows and report the bad ones; otherwise any bad row rejects the file")
	return cmd
}

// importNumbers reads the file twice, to check all of it before anything of it
// is on the list.
func (a *app) importNumbers(ctx context.Context, l *campaign.Ledger, file producer.NumberFile, setAside bool) error {
	line := newLiveLine(a.stderr)
	progress := func(rows int, what string) {
		if line.live {
			line.show(fmt.Sprintf("%d rows %s", rows, what))
		}
	}
	check := file
	check.Tell = func(f producer.Fault) {
		line.end()
		line.n = 0
		fmt.Fprintln(a.stderr, f)
	}
	err := eachNumber(ctx, &check, func([]campaign.SuppressedNumber) error { progress(check.Rows, "checked"); return nil })
	line.end()
	if err != nil {
		return err
	}
	if check.Bad > 0 && !setAside {
		return fmt.Errorf("nothing was imported: %s; --set-aside-bad-rows imports the others", plural(check.Bad, "bad row"))
	}
	added := 0
	line = newLiveLine(a.stderr)
	i := file
	i.Tell = func(producer.Fault) {} // they have been named
	err = eachNumber(ctx, &i, func(numbers []campaign.SuppressedNumber) error {
		n, err := l.SuppressAll(ctx, numbers)
		added += n
		progress(i.Rows, "imported")
		return err
	})
	line.end()
	if err != nil {
		return fmt.Errorf("%w; %s imported; the same command again finishes the job", err, plural(added, "number"))
	}
	text := fmt.Sprintf("%s: %s added, %d on the list already", plural(i.Rows, "row"), plural(added, "number"), i.Rows-i.Bad-added)
	if i.Bad > 0 {
		text += fmt.Sprintf(", %s set aside", plural(i.Bad, "bad row"))
	}
	fmt.Fprintln(a.stdout, text)
	return nil
}

func eachNumber(ctx context.Context, file *producer.NumberFile, take func([]campaign.SuppressedNumber) error) error {
	f, err := os.Open(file.Name)
	if err != nil {
		return err
	}
	defer f.Close()
	return file.Each(ctx, f, take)
}
