package producer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/test/redistest"
)

const metaKey = "handout:{order-history}:meta"

func listOf(n int) string {
	var b strings.Builder
	b.WriteString(header)
	for i := range n {
		b.WriteString(row(i))
	}
	return b.String()
}

// stored are all recipients of the campaign as the ledger has them.
func stored(t *testing.T, l *ledger.Ledger, info *campaign.Info) (all []campaign.Recipient) {
	t.Helper()
	for page := range info.Pages {
		rs, err := l.Recipients(t.Context(), info.ID, page)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, rs...)
	}
	return all
}

// nothingKept checks that no trace of a campaign is left.
func nothingKept(t *testing.T, s *redistest.Server) {
	t.Helper()
	keys, err := s.Client().Keys(t.Context(), "*").Result()
	if err != nil || len(keys) > 0 {
		t.Errorf("keys left: %v (%v)", keys, err)
	}
}

func TestSubmit_MakesACampaignOfAList(t *testing.T) {
	s := redistest.Start(t)
	const good = 5_432
	var rows int
	var bytes int64
	result, err := producer.New(s.Client()).Submit(t.Context(), parse(t, fileThenText), list(listOf(good)), producer.SubmitOptions{
		Progress: func(r int, b int64) { rows, bytes = r, b },
	})
	if err != nil {
		t.Fatal(err)
	}
	info := result.Info
	if info.Total != good || info.Pages != 55 || info.Phase != campaign.Running || result.Already || result.Summary.Recipients != good {
		t.Errorf("%+v, %+v", info, result)
	}
	if rows != good || bytes != int64(len(listOf(good))) {
		t.Errorf("progress ends with %d rows, %d bytes", rows, bytes)
	}
	all := stored(t, ledger.New(s.Client()), info)
	if len(all) != good {
		t.Fatalf("%d recipients", len(all))
	}
	for i, r := range all {
		want := campaign.Recipient{ID: fmt.Sprintf("p%d", i), Phone: fmt.Sprintf("+1201555%04d", i), Values: []string{fmt.Sprintf("https://example.com/%d", i)}}
		if diff := cmp.Diff(want, r); diff != "" {
			t.Fatalf("recipient %d (-want +got):\n%s", i, diff)
		}
	}
}

func TestSubmit_TheSameContentAgainChangesNothing(t *testing.T) {
	s := redistest.Start(t)
	client := producer.New(s.Client())
	first, err := client.Submit(t.Context(), parse(t, fileThenText), list(listOf(250)), producer.SubmitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	again, err := client.Submit(t.Context(), parse(t, "# a comment\n"+fileThenText), list(listOf(250)), producer.SubmitOptions{Begin: campaign.Beginning{Hold: true}})
	if err != nil {
		t.Fatal(err)
	}
	if !again.Already {
		t.Error("it isn't said that the campaign stood already")
	}
	if diff := cmp.Diff(first.Info, again.Info); diff != "" {
		t.Errorf("info (-first +again):\n%s", diff)
	}
}

func TestSubmit_TheWayAListIsWrittenIsNotItsContent(t *testing.T) {
	s := redistest.Start(t)
	client := producer.New(s.Client())
	file := parse(t, fileThenText)
	for i, l := range []producer.List{
		list("recipient,phone,url\na,+12015550101,https://a.b/c\n"),
		list("phone,url,recipient\r\n\"+1 (201) 555-0101\",https://a.b/c,a"),
		ndjson(`{"url":"https://a.b/c","phone":"0012015550101","recipient":"a"}`),
		producer.ListRows([]string{"url"}, rows(producer.Row{Recipient: "a", Phone: "+1.201.555.0101", Values: []string{"https://a.b/c"}})),
	} {
		result, err := client.Submit(t.Context(), file, l, producer.SubmitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if result.Already != (i > 0) {
			t.Errorf("list %d: already: %v", i, result.Already)
		}
	}
}

func TestSubmit_OtherContentIsRefused(t *testing.T) {
	s := redistest.Start(t)
	client := producer.New(s.Client())
	file := parse(t, fileThenText)
	if _, err := client.Submit(t.Context(), file, list(listOf(120)), producer.SubmitOptions{}); err != nil {
		t.Fatal(err)
	}
	before := s.Client().HGetAll(t.Context(), metaKey).Val()
	for name, try := range map[string]struct {
		file *producer.File
		list producer.List
	}{
		"one row more":       {file, list(listOf(121))},
		"one value changed":  {file, list(strings.Replace(listOf(120), "com/7\n", "com/8\n", 1))},
		"another header":     {file, list(strings.ReplaceAll(listOf(120), "\n", ",x\n"))},
		"another text":       {parse(t, strings.Replace(fileThenText, "ready", "here", 1)), list(listOf(120))},
		"another order":      {file, list(header + row(1) + row(0) + strings.TrimPrefix(listOf(120), header+row(0)+row(1)))},
		"another rate":       {parse(t, strings.Replace(fileThenText, "rate: 10", "rate: 11", 1)), list(listOf(120))},
		"another recipient":  {file, list(strings.Replace(listOf(120), "p7,", "q7,", 1))},
		"rows without pages": {file, list(listOf(20))},
	} {
		_, err := client.Submit(t.Context(), try.file, try.list, producer.SubmitOptions{})
		var other *producer.OtherContentError
		if !errors.As(err, &other) || other.Info.Total != 120 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if diff := cmp.Diff(before, s.Client().HGetAll(t.Context(), metaKey).Val()); diff != "" {
		t.Errorf("the campaign has changed (-before +after):\n%s", diff)
	}
}

func TestSubmit_ABadRowRejectsTheListAndNothingIsKept(t *testing.T) {
	s := redistest.Start(t)
	client := producer.New(s.Client())
	file := parse(t, fileThenText)
	text := listOf(6000) + "bad,+1,https://a.b/c\n" + row(7000) + "worse,,x\n"
	_, err := client.Submit(t.Context(), file, list(text), producer.SubmitOptions{})
	var faults *producer.Faults
	if !errors.As(err, &faults) {
		t.Fatal(err)
	}
	want := []string{
		"list.csv:6002:5: phone: not a phone number",
		"list.csv:6004:7: phone: empty",
	}
	if diff := cmp.Diff(want, texts(faults.List)); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	nothingKept(t, s)

	result, err := client.Submit(t.Context(), file, list(text), producer.SubmitOptions{SetAsideBadRows: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := result.Info.LeftOut.String(); got != "2 bad rows (lines 6002, 6004)" {
		t.Errorf("left out: %s", got)
	}
	history, err := ledger.New(s.Client()).History(t.Context(), result.Info.ID)
	if err != nil || history[0].About != "6,001 recipients; left out: 2 bad rows (lines 6002, 6004)" {
		t.Errorf("%+v, %v", history, err)
	}
	if got := result.Summary; got.Rows != 6003 || got.Recipients != 6001 || got.BadRows != 2 || len(got.Faults) != 2 || result.Info.Total != 6001 {
		t.Errorf("%+v", got)
	}
}

func TestSubmit_APhoneNumberIsSentToOnce(t *testing.T) {
	s := redistest.Start(t)
	result, err := producer.New(s.Client()).Submit(t.Context(), parse(t, fileThenText), list(header+
		"a,+12015550101,https://a.b/1\n"+
		"b,+12015550102,https://a.b/2\n"+
		"c,+1 201-555-0101,https://a.b/3\n"+
		"c,+12015550103,https://a.b/4\n"+ // c above was left out
		"d,0012015550102,https://a.b/5\n"), producer.SubmitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := producer.Summary{
		Rows: 5, Recipients: 3, Duplicates: 2, DuplicateLines: []int{4, 6},
		Read: producer.Reading{Format: producer.CSV, Encoding: "UTF-8", Delimiter: ","},
	}
	if diff := cmp.Diff(want, result.Summary); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
	all := stored(t, ledger.New(s.Client()), result.Info)
	if len(all) != 3 || all[0].Values[0] != "https://a.b/1" || all[2].ID != "c" {
		t.Errorf("%+v", all)
	}
}

// TestSubmit_ARecipientTwiceIsAFaultOrANote has two rows with the same name and
// different numbers.
func TestSubmit_ARecipientTwiceIsAFaultOrANote(t *testing.T) {
	client := producer.New(redistest.Start(t).Client())
	text := header + "a,+12015550101,https://a.b/1\n" + "a,+12015550102,https://a.b/2\n" +
		"a,+12015550101,https://a.b/3\n" + // a duplicate, as ever
		"b,+12015550102,https://a.b/4\n" // isn't kept from its number by the row that was set aside
	_, err := client.Submit(t.Context(), parse(t, fileThenText), list(text), producer.SubmitOptions{})
	if err == nil || err.Error() != "list.csv:3:1: recipient: a row above has the same, with another phone number; same_recipient: note in the campaign file sends to both" {
		t.Errorf("error: %v", err)
	}
	result, err := client.Submit(t.Context(), parse(t, fileThenText), list(text), producer.SubmitOptions{SetAsideBadRows: true})
	if err != nil || result.Summary.Recipients != 2 || result.Summary.BadRows != 1 || result.Summary.Duplicates != 1 {
		t.Errorf("%+v, %v", result, err)
	}
	noted := parse(t, strings.Replace(fileThenText, "rate: 10", "rate: 10\nsame_recipient: note", 1))
	noted.Spec.ID = "noted"
	result, err = client.Submit(t.Context(), noted, list(text), producer.SubmitOptions{})
	if err != nil || result.Summary.Recipients != 2 || result.Summary.SameRecipients != 1 {
		t.Fatalf("%+v, %v", result, err)
	}
	if notes := result.Summary.Notes(); notes[len(notes)-1] != "1 row with the recipient of a row above and another phone number, sent to as well: the first on line 3" {
		t.Errorf("%q", notes)
	}
	var several *producer.AmbiguousError
	if _, err := client.Person(t.Context(), "noted", "a"); !errors.As(err, &several) || len(several.Places) != 2 {
		t.Errorf("error: %v", err)
	}
}

func TestSubmit_AnEmptyListIsRefused(t *testing.T) {
	s := redistest.Start(t)
	client := producer.New(s.Client())
	for _, l := range []producer.List{list(header), list(header + "\n\n"), list(header + "a,+1,x\n"), producer.ListRows([]string{"url"}, rows())} {
		_, err := client.Submit(t.Context(), parse(t, fileThenText), l, producer.SubmitOptions{SetAsideBadRows: true})
		if !errors.Is(err, producer.ErrEmptyList) {
			t.Errorf("error: %v", err)
		}
	}
	nothingKept(t, s)
}

func TestSubmit_HoldCommitsPaused(t *testing.T) {
	s := redistest.Start(t)
	result, err := producer.New(s.Client()).Submit(t.Context(), parse(t, fileThenText), list(listOf(1)), producer.SubmitOptions{Begin: campaign.Beginning{Hold: true}})
	if err != nil {
		t.Fatal(err)
	}
	if result.Info.Phase != campaign.Paused {
		t.Errorf("phase %s", result.Info.Phase)
	}
}

func TestSubmit_ATemplateThatTheListCantFillIsAFaultOfTheCampaignFile(t *testing.T) {
	s := redistest.Start(t)
	_, err := producer.New(s.Client()).Submit(t.Context(), parse(t, fileThenText),
		list("recipient,phone,link\na,+12015550101,https://a.b/c\n"), producer.SubmitOptions{})
	const want = `campaign.yaml:8:23: channels[0].parameters.url: the list has no column "url" among its 3
campaign.yaml:11:24: channels[1].parameters.text: the list has no column "url" among its 3`
	if err == nil || err.Error() != want {
		t.Errorf("faults:\n%v\nwant:\n%s", err, want)
	}
	nothingKept(t, s)
}

func TestSubmit_ARequestThatIsTooLongIsABadRow(t *testing.T) {
	s := redistest.Start(t)
	src := strings.Replace(fileThenText, "at {{.url}}.", "at {{.url}}. {{.a}} {{.b}} {{.c}}", 1)
	text := "recipient,phone,url,a,b,c\n"
	for i, n := range []int{3000, 3100, 4000} {
		text += fmt.Sprintf("p,+1201555010%d,https://a.b/c,%s,%[2]s,%[2]s\n", i, strings.Repeat("x", n))
	}
	result, err := producer.New(s.Client()).Submit(t.Context(), parse(t, src), list(text), producer.SubmitOptions{SetAsideBadRows: true})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"list.csv:3:1: the request would be longer than Telesign's 10,240 bytes",
		"list.csv:4:1: channel sms, parameter text: a template makes more than 10,240 bytes",
	}
	if diff := cmp.Diff(want, texts(result.Summary.Faults)); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

// broken is a reader that does something in the middle.
type broken struct {
	io.Reader
	after int
	do    func() error
}

func (b *broken) Read(p []byte) (int, error) {
	if b.after--; b.after == 0 {
		if err := b.do(); err != nil {
			return 0, err
		}
	}
	return b.Reader.Read(p[:min(len(p), 64<<10)])
}

func TestSubmit_AReadErrorKeepsNothing(t *testing.T) {
	s := redistest.Start(t)
	unplugged := errors.New("unplugged")
	_, err := producer.New(s.Client()).Submit(t.Context(), parse(t, fileThenText), producer.ListReader("list.csv", producer.CSV,
		&broken{strings.NewReader(listOf(9000)), 6, func() error { return unplugged }}), producer.SubmitOptions{})
	var read *producer.ReadError
	if !errors.As(err, &read) || !errors.Is(err, unplugged) || err.Error() != "read list.csv: unplugged" {
		t.Errorf("error: %v", err)
	}
	nothingKept(t, s)
}

func TestSubmit_AnErrorOfAnIteratorKeepsNothing(t *testing.T) {
	s := redistest.Start(t)
	gone := errors.New("database gone")
	_, err := producer.New(s.Client()).Submit(t.Context(), parse(t, fileThenText),
		producer.ListRows([]string{"url"}, func(yield func(producer.Row, error) bool) {
			for i := range 3000 {
				if !yield(producer.Row{Recipient: "a", Phone: fmt.Sprintf("+1201555%04d", i), Values: []string{"https://a.b/c"}}, nil) {
					return
				}
			}
			yield(producer.Row{}, gone)
		}), producer.SubmitOptions{})
	if !errors.Is(err, gone) {
		t.Errorf("error: %v", err)
	}
	nothingKept(t, s)
}

func TestSubmit_InterruptedItSendsNothingAndRunsAgain(t *testing.T) {
	s := redistest.Start(t)
	client := producer.New(s.Client())
	file := parse(t, fileThenText)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := client.Submit(ctx, file, producer.ListReader("list.csv", producer.CSV,
		&broken{strings.NewReader(listOf(9000)), 6, func() error { cancel(); return nil }}), producer.SubmitOptions{})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error: %v", err)
	}
	ledger := ledger.New(s.Client())
	info, err := ledger.Info(t.Context(), file.Spec.ID)
	if err != nil || info.Phase != campaign.Draft {
		t.Fatalf("%+v, %v", info, err)
	}
	silent(t, s)
	result, err := client.Submit(t.Context(), file, list(listOf(300)), producer.SubmitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := len(stored(t, ledger, result.Info)); got != 300 || result.Already {
		t.Errorf("%d recipients", got)
	}
	pages, err := s.Client().Keys(t.Context(), "handout:{order-history}:page:*").Result()
	if err != nil || len(pages) != 3 {
		t.Errorf("%d pages are kept, %v", len(pages), err)
	}
}

// silent lets the time pass after which a draft may be taken.
func silent(t *testing.T, s *redistest.Server) {
	t.Helper()
	if err := s.Client().HSet(t.Context(), metaKey, "draft_seen", 1).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestSubmit_WaitsForAnotherSubmitAndThenAgrees(t *testing.T) {
	s := redistest.Start(t)
	client := producer.New(s.Client())
	file := parse(t, fileThenText)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// The first submit stands still in the middle of its list until the second
	// one waits for it.
	waits, resumed := make(chan struct{}), make(chan error, 1)
	begun := make(chan struct{})
	go func() {
		_, err := client.Submit(ctx, file, producer.ListReader("list.csv", producer.CSV,
			&broken{strings.NewReader(listOf(9000)), 8, func() error { close(begun); <-waits; return nil }}), producer.SubmitOptions{})
		resumed <- err
	}()
	<-begun
	once := false
	result, err := client.Submit(t.Context(), file, list(listOf(9000)), producer.SubmitOptions{OnWait: func() {
		if !once {
			once = true
			close(waits)
			if err := <-resumed; err != nil {
				t.Error(err)
			}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if !once || !result.Already {
		t.Errorf("waited: %v, already: %v", once, result.Already)
	}
}

func TestSubmit_WaitingEndsWithTheContext(t *testing.T) {
	s := redistest.Start(t)
	file := parse(t, fileThenText)
	if _, err := ledger.New(s.Client()).Open(t.Context(), file.Spec, []string{"url"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := producer.New(s.Client()).Submit(ctx, file, list(listOf(1)), producer.SubmitOptions{OnWait: cancel})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error: %v", err)
	}
}

func TestSubmit_TakenOverItStartsAgain(t *testing.T) {
	for name, c := range map[string]struct {
		reader func(string) io.Reader
		want   error
	}{
		"a reader that seeks":  {func(s string) io.Reader { return strings.NewReader(s) }, nil},
		"a reader that cannot": {func(s string) io.Reader { return io.MultiReader(strings.NewReader(s)) }, producer.ErrNotRereadable},
	} {
		s := redistest.Start(t)
		file := parse(t, fileThenText)
		steal := func() error {
			silent(t, s)
			_, err := ledger.New(s.Client()).Open(t.Context(), file.Spec, []string{"url"})
			silent(t, s) // and the thief dies
			return err
		}
		in := &broken{c.reader(listOf(9000)), 6, steal}
		var r io.Reader = in
		if seeker, ok := in.Reader.(io.Seeker); ok {
			r = struct {
				io.Reader
				io.Seeker
			}{in, seeker}
		}
		result, err := producer.New(s.Client()).Submit(t.Context(), file, producer.ListReader("list.csv", producer.CSV, r), producer.SubmitOptions{})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && result.Info.Total != 9000 {
			t.Errorf("%s: %+v", name, result.Info)
		}
	}
}

func TestSubmit_RedisAwayIsAnErrorAndLeavesTheDraft(t *testing.T) {
	s := redistest.Start(t, redistest.AppendOnly("always"))
	file := parse(t, fileThenText)
	client := producer.New(s.Client())
	_, err := client.Submit(t.Context(), file, producer.ListReader("list.csv", producer.CSV,
		&broken{strings.NewReader(listOf(9000)), 6, func() error { s.Kill(); return nil }}), producer.SubmitOptions{})
	if err == nil {
		t.Fatal("no error")
	}
	s.Restart()
	silent(t, s)
	result, err := client.Submit(t.Context(), file, list(listOf(9000)), producer.SubmitOptions{})
	if err != nil || result.Info.Total != 9000 {
		t.Errorf("%+v, %v", result, err)
	}
}

// TestSubmit_NoErrorHoldsACell makes every cell of a list wrong in many ways,
// and looks for the cells in what is said about it.
func TestSubmit_NoErrorHoldsACell(t *testing.T) {
	secrets := []string{"5550", "2015", "secret", "tainted"}
	leaks := func(where, text string) {
		t.Helper()
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s holds a cell: %s", where, text)
			}
		}
	}
	src := strings.Replace(fileThenText, "at {{.url}}.", "at {{.url}}. {{if lt .n 5}}x{{end}} {{slice .url 30}}", 1)
	const head = "recipient,phone,url,n\n"
	for i, l := range []producer.List{
		list("secret,+12015550101,https://tainted\n"),
		list("secret\n+12015550101\n"),
		list("recipient,+12015550101\n"),
		list("recipient,phone,+12015550101,+12015550101\n"),
		list("recipient,phone,\"+12015550101\"x\n"),
		list(head + "secret,+1201555010,https://tainted,1\n"),
		list(head + "secret,+120155501011,https://tainted,1\n"),
		list(head + "secret,2015550101,https://tainted,1\n"),
		list(head + "secret,+1201555x101,https://tainted,1\n"),
		list(head + "secret,+9992015550101,https://tainted,1\n"),
		list(head + "secret,1.2015550E+10,https://tainted,1\n"),
		list(head + "secret,+12015550101,tainted,1\n"),
		list(head + "secret,+12015550101,https://tainted host/%zz,1\n"),
		list(head + "secret,+12015550101,https://tainted,secret\n"),
		list(head + "secret,+12015550101\n"),
		list(head + "\"secret,+12015550101,https://tainted,1\n"),
		list(head + "secret,\"+12015550101\"x,https://tainted,1\n"),
		list(head + "\xffsecret,+12015550101,https://tainted,1\n"),
		list(head + "secret,+12015550101,https://tainted/" + strings.Repeat("secret", 1000) + ",1\n"),
		ndjson(`{"secret":"+12015550101"}`),
		ndjson(`{"recipient":"secret","phone":"+12015550101","url":"tainted","n":secret}`),
		ndjson(`{"recipient":"secret","phone":"+1201555010","url":"https://tainted","n":1}` + "\n" + `{"+12015550101":1}` + "\n" + `"secret"`),
		producer.ListRows([]string{"url", "n"}, rows(producer.Row{Recipient: "secret", Phone: "+1201555010", Values: []string{"tainted", "1"}})),
	} {
		d, err := producer.Check(t.Context(), parse(t, src), l, producer.CheckOptions{})
		switch {
		case err != nil:
			leaks(fmt.Sprintf("the error of list %d", i), err.Error())
		case len(d.Summary.Faults) == 0:
			t.Errorf("list %d has no fault", i)
		default:
			leaks(fmt.Sprintf("a fault of list %d", i), strings.Join(texts(d.Summary.Faults), "\n"))
		}
	}
	for _, number := range []string{"+1201555010", "+120155501011", "2015550101", "+1201555x101", "1.2015550E+10", "+1201555secret"} {
		if _, err := phone.Normalize(number, ""); err == nil {
			t.Errorf("a bad number is taken")
		} else {
			leaks("the error of NormalizePhone", err.Error())
		}
	}
}
