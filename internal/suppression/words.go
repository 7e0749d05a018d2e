package suppression

import "encoding/binary"

// words are all that is kept of one number.
type words struct {
	entry  string // as stored; empty: the number isn't on the list
	past   string // entries that no longer hold, as stored: a length before each
	listed Entry  // the entry decoded
	broken bool   // the entry can't be read: the number is on the list all the same
}

// maxPast is how many entries that no longer hold are kept of a number; the oldest
// go first.
const maxPast = 32

func newWords(entry, past any) words {
	w := words{}
	w.entry, _ = entry.(string)
	w.past, _ = past.(string)
	if entry != nil {
		var err error
		w.listed, err = decodeListed(w.entry)
		w.broken = err != nil
	}
	return w
}

// decodeListed reads the entry of a number on the list.
func decodeListed(raw string) (Entry, error) {
	e, err := decodeEntry(raw)
	if err == nil && e.Why.Removes() {
		err = ErrBadEntry
	}
	return e, err
}

func (w *words) on() bool { return w.entry != "" || w.broken }

// decodePast reads the entries that no longer hold, as far as they can be read.
func decodePast(raw string) (past []Entry) {
	for b := []byte(raw); len(b) > 0; {
		length, n := binary.Uvarint(b)
		if n <= 0 || length > uint64(len(b)-n) {
			break
		}
		if e, err := decodeEntry(string(b[n : n+int(length)])); err == nil {
			past = append(past, e)
		}
		b = b[n+int(length):]
	}
	return past
}

func encodePast(past []Entry) string {
	var b []byte
	for _, e := range past[max(0, len(past)-maxPast):] {
		raw := e.encode()
		b = append(binary.AppendUvarint(b, uint64(len(raw))), raw...)
	}
	return string(b)
}

// hear returns what is kept of a number after a new word, and whether it differs.
// The last word said holds, whenever it arrives:
//
//   - What puts a number on the list holds unless it is in the past already (a replay),
//     or the recipient's START is later. A person's removal isn't later in that sense:
//     the person who removed the number didn't know of a STOP that came afterwards.
//   - On the list, only a later STOP replaces the entry.
//   - A START takes the number off only if it was said after the entry.
//   - A person's removal always does.
func (w words) hear(e Entry) (words, bool) {
	past := decodePast(w.past)
	switch {
	case e.Why.Removes():
		if !w.on() || e.Why == WhyStart && (w.broken || e.seconds() <= w.listed.seconds()) {
			return w, false
		}
		if !w.broken {
			past = append(past, w.listed)
		}
		return words{past: encodePast(append(past, e))}, true
	case w.on():
		if w.broken || e.Why != WhyStop || e.seconds() <= w.listed.seconds() {
			return w, false
		}
		past = append(past, w.listed)
		return words{entry: e.encode(), past: encodePast(past), listed: e}, true
	}
	replayed := false
	for _, p := range past {
		replayed = replayed || p.Why == e.Why && p.seconds() == e.seconds()
		if later := p.seconds() > e.seconds(); later && (p.Why == WhyStart || replayed && p.Why.Removes()) {
			return w, false
		}
	}
	return words{entry: e.encode(), past: w.past, listed: e}, true
}
