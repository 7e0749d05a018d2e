package producer

import (
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

func FuzzReadCSV(f *testing.F) {
	for _, s := range []string{
		"a,b,c\n", "a,\"b\"\"b\",c\r\nd,\"e\nf\",g", "\"", "a\"b,c\n\"d\n", "\"a\"b\nc\n", "\n\r\n\ra", "a,\"b\r\r\nc\"\r\n", ",,\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		list := "recipient,phone\n" + body
		ours, err := newCSV("", strings.NewReader(list), &wanted{used: []string{"phone", "recipient"}}, &Reading{})
		if err != nil {
			t.Fatal(err)
		}
		theirs := csv.NewReader(strings.NewReader(list))
		theirs.FieldsPerRecord = -1
		if _, err := theirs.Read(); err != nil {
			t.Fatal(err)
		}
		for _, record := range records(t, ours) {
			cells, broken := splitCSV(record, ',', nil)
			want, err := theirs.Read()
			if err != nil {
				if broken == nil && !errors.Is(err, io.EOF) {
					t.Fatalf("%q: taken, but %v", record, err)
				}
				return // from here on encoding/csv may have given up
			}
			var got []string
			for _, c := range cells {
				got = append(got, c.text)
			}
			if broken != nil || !slices.Equal(got, want) {
				t.Fatalf("%q: %q (%v), want %q", record, got, broken, want)
			}
		}
		if _, err := theirs.Read(); !errors.Is(err, io.EOF) {
			t.Fatal("a record is missing")
		}
	})
}

func records(t *testing.T, s *csvSource) (all []string) {
	t.Helper()
	for {
		var b block
		err := s.fill(&b)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range b.spans {
			if record := b.text[at.start:at.end]; !blankLine(record) {
				all = append(all, record)
			}
		}
	}
}

func FuzzParseCampaign(f *testing.F) {
	for _, s := range []string{
		"id: a\nmessage_type: MKT\nchannels: [{channel: sms, template: text, parameters: {text: hi}}]\n",
		"id: [a\n", "a: &x 1\nb: *x\n", "- 1\n", "", "---\n---\n", "channels: {}\n", "rate: .nan\n", "<<: {id: a}\n", "? [a]\n: b\n",
		"channels: [{fallback_time: 9223372036854775807}]\n", "channels: [{parameters: {text: '{{.a.b}}'}}]\n", "!!binary a: b\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		file, err := ParseCampaign("c.yaml", src)
		if err != nil {
			var faults *Faults
			if !errors.As(err, &faults) || faults.Total == 0 {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		again, err := NewFile(*file.Spec)
		if err != nil {
			t.Fatalf("the spec of a good file is refused: %v", err)
		}
		if !file.Spec.Equal(again.Spec) {
			t.Fatal("the spec changes when it is checked again")
		}
	})
}
