package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

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
				return a.importNumbers(cmd.Context(), l, numberFile{args[0], normalize, entry}, setAside)
			})
		},
	}
	h.flags(cmd)
	cmd.Flags().BoolVar(&setAside, "set-aside-bad-rows", false, "import the good rows and report the bad ones; otherwise any bad row rejects the file")
	return cmd
}

// importNumbers reads the file twice, to check all of it before anything of it
// is on the list.
func (a *app) importNumbers(ctx context.Context, l *campaign.Ledger, file numberFile, setAside bool) error {
	line := newLiveLine(a.stderr)
	progress := func(rows int, what string) {
		if line.live {
			line.show(fmt.Sprintf("%d rows %s", rows, what))
		}
	}
	check := numberImport{numberFile: file, tell: func(f producer.Fault) {
		line.end()
		line.n = 0
		fmt.Fprintln(a.stderr, f)
	}}
	err := check.each(ctx, func([]campaign.SuppressedNumber) error { progress(check.rows, "checked"); return nil })
	line.end()
	if err != nil {
		return err
	}
	if check.bad > 0 && !setAside {
		return fmt.Errorf("nothing was imported: %s; --set-aside-bad-rows imports the others", plural(check.bad, "bad row"))
	}
	added := 0
	line = newLiveLine(a.stderr)
	i := numberImport{numberFile: file, tell: func(producer.Fault) {}} // they have been named
	err = i.each(ctx, func(numbers []campaign.SuppressedNumber) error {
		n, err := l.SuppressAll(ctx, numbers)
		added += n
		progress(i.rows, "imported")
		return err
	})
	line.end()
	if err != nil {
		return fmt.Errorf("%w; %s imported; the same command again finishes the job", err, plural(added, "number"))
	}
	text := fmt.Sprintf("%s: %s added, %d on the list already", plural(i.rows, "row"), plural(added, "number"), i.rows-i.bad-added)
	if i.bad > 0 {
		text += fmt.Sprintf(", %s set aside", plural(i.bad, "bad row"))
	}
	fmt.Fprintln(a.stdout, text)
	return nil
}

const (
	// importBatch is how many numbers go to Redis at once.
	importBatch = 1000
	// mostImportLine bounds a line of the file, in bytes.
	mostImportLine = 64 << 10
)

// numberFile is a file of numbers, and what to make of its rows.
type numberFile struct {
	path      string
	normalize func(string) (string, error)
	entry     campaign.Suppression // of each, but for a reason of its own
}

// numberImport reads one line by line, in constant memory. A cell with a line
// end in it is a bad row: neither a number nor a reason has one.
type numberImport struct {
	numberFile
	tell func(producer.Fault) // is told of bad rows

	line, rows, bad int
	phone, why      int // columns; why is -1 when there is none
	cells           []string
}

// each hands over the good rows in batches and names the bad ones.
func (i *numberImport) each(ctx context.Context, take func([]campaign.SuppressedNumber) error) error {
	f, err := os.Open(i.path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, mostImportLine)
	header, err := i.next(r)
	if err == nil {
		err = i.readHeader(header)
	}
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: the file is empty", i.path)
	}
	if err != nil {
		return fmt.Errorf("%s:%d: header: %w", i.path, i.line, err)
	}
	batch := make([]campaign.SuppressedNumber, 0, importBatch)
	for ctx.Err() == nil {
		text, err := i.next(r)
		if errors.Is(err, io.EOF) {
			return take(batch)
		}
		var row campaign.SuppressedNumber
		switch {
		case errors.Is(err, errLongLine):
		case err != nil:
			return err
		default:
			row, err = i.row(text)
		}
		i.rows++
		if err != nil {
			i.bad++
			i.tell(producer.Fault{File: i.path, Line: i.line, Message: err.Error()})
			continue
		}
		if batch = append(batch, row); len(batch) == importBatch {
			if err := take(batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return ctx.Err()
}

var errLongLine = fmt.Errorf("longer than %d bytes", mostImportLine)

// next is the next line that isn't blank, without its end. It is good until the
// next call.
func (i *numberImport) next(r *bufio.Reader) (string, error) {
	for {
		i.line++
		b, err := r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = r.ReadSlice('\n')
			}
			return "", errLongLine
		}
		if err != nil && (!errors.Is(err, io.EOF) || len(b) == 0) {
			return "", err
		}
		if i.line == 1 {
			b = bytes.TrimPrefix(b, []byte("\ufeff"))
		}
		if b = bytes.TrimRight(b, "\r\n"); len(bytes.TrimSpace(b)) > 0 {
			return string(b), nil
		}
	}
}

func (i *numberImport) split(line string) ([]string, error) {
	if !strings.Contains(line, `"`) {
		i.cells = i.cells[:0]
		for cell := range strings.SplitSeq(line, ",") {
			i.cells = append(i.cells, cell)
		}
		return i.cells, nil
	}
	cells, err := csv.NewReader(strings.NewReader(line)).Read()
	if err != nil {
		return nil, errors.New("its quotes can't be read") // the cause may quote the line
	}
	return cells, nil
}

func (i *numberImport) readHeader(line string) error {
	names, err := i.split(line)
	if err != nil {
		return err
	}
	column := func(name string) int {
		return slices.IndexFunc(names, func(s string) bool { return strings.TrimSpace(s) == name })
	}
	if i.phone, i.why = column("phone"), column("why"); i.phone < 0 {
		return errors.New("there is no column phone; cells are separated by commas")
	}
	return nil
}

// row is the entry that a line asks for. Its error never quotes the line.
func (i *numberImport) row(line string) (campaign.SuppressedNumber, error) {
	cells, err := i.split(line)
	if err != nil {
		return campaign.SuppressedNumber{}, err
	}
	if i.phone >= len(cells) {
		return campaign.SuppressedNumber{}, errors.New("phone: empty")
	}
	n := campaign.SuppressedNumber{Suppression: i.entry}
	if n.Phone, err = i.normalize(cells[i.phone]); err != nil {
		return n, fmt.Errorf("phone: %w", err)
	}
	if i.why >= 0 && i.why < len(cells) {
		if why := handNote(cells[i.why]); why != "" {
			n.Note = why
		}
	}
	if err := n.Check(); err != nil {
		return n, fmt.Errorf("why: %w", err)
	}
	return n, nil
}

// handNote is the reason in a cell, without the words that suppress list has put
// before it.
func handNote(cell string) string {
	hand := campaign.WhyHand.String()
	cell = strings.TrimSpace(cell)
	if cell == hand {
		return ""
	}
	return strings.TrimPrefix(cell, hand+": ")
}
