package phone

import (
	"encoding/binary"
	"fmt"
	"regexp/syntax"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nyaruka/phonenumbers"
)

// numbering is the numbering plan of one calling code as a finite automaton
// over digits, built from libphonenumber's own metadata as numbers need it.
//
// The library asks a number of questions of a national number, each with a
// regular expression: does a region's leading digits match, its general
// pattern, the pattern of each type of number? Together they cost 20 µs.
// Here all expressions of a calling code run side by side: a state is the set
// of their instructions after the digits read so far, and a state once met is
// kept with its answer, so that a digit costs one look at a table.
//
// It answers only "surely valid". Whatever it is not sure of is asked of the
// library, which thus stays the judge of every refusal.
type numbering struct {
	progs    []*syntax.Prog
	base     []uint32 // of each program's instructions in the common numbering
	anyInst  []instruction
	regions  []regionPlan // in the library's order
	prefix   int          // the program of the national prefix, or -1
	start    *phoneState
	ask      *phoneState // where the answer can't become sure any more
	mu       sync.Mutex  // held while states are added
	states   map[string]*phoneState
	overfull bool
}

// instruction is where a program's instruction stands.
type instruction struct{ prog, pc uint32 }

// regionPlan is how libphonenumber tells whether a number is one of a region.
type regionPlan struct {
	leading int // a program, or -1
	general numberPattern
	types   []numberPattern
}

type numberPattern struct {
	prog    int
	lengths uint32 // bit n: n digits are possible
}

// phoneState is a state of the automaton.
type phoneState struct {
	next  [10]atomic.Pointer[phoneState]
	valid uint32   // bit n: a number that ends here after n digits is surely valid
	set   []uint32 // instructions that read the next digit or wait for the end
}

// maxStates bounds the memory of one calling code. The largest plan, +1, has
// 1,254 states after 300,000 random numbers, which take 0.7 MB; most have 200
// to 600.
const maxStates = 1 << 13

// maxNational is the longest national number that the library takes.
const maxNational = phonenumbers.MAX_LENGTH_FOR_NSN

// newNumbering makes the automaton of a calling code. The national prefix is
// that of the region by whose rules the number is read.
func newNumbering(code int, metadata map[string]*phonenumbers.PhoneMetadata, reader *phonenumbers.PhoneMetadata) (*numbering, error) {
	p := &numbering{prefix: -1, states: map[string]*phoneState{}, ask: &phoneState{}}
	byPattern := map[string]int{}
	compile := func(pattern string) (int, error) {
		if i, ok := byPattern[pattern]; ok {
			return i, nil
		}
		re, err := syntax.Parse(pattern, syntax.Perl)
		if err != nil {
			return 0, err
		}
		prog, err := syntax.Compile(re.Simplify())
		if err != nil {
			return 0, err
		}
		if slices.ContainsFunc(prog.Inst, unusual) {
			return 0, fmt.Errorf("a pattern of calling code %d looks around", code)
		}
		i := len(p.progs)
		byPattern[pattern] = i
		p.progs = append(p.progs, prog)
		p.base = append(p.base, uint32(len(p.anyInst)))
		for pc := range prog.Inst {
			p.anyInst = append(p.anyInst, instruction{uint32(i), uint32(pc)})
		}
		return i, nil
	}
	for _, id := range phonenumbers.GetRegionCodesForCountryCode(code) {
		m := metadata[metadataKey(id, code)]
		if m == nil {
			return nil, fmt.Errorf("no metadata of region %s", id)
		}
		region, err := newRegionPlan(m, compile)
		if err != nil {
			return nil, err
		}
		p.regions = append(p.regions, region)
	}
	if prefix := reader.GetNationalPrefixForParsing(); prefix != "" {
		var err error
		if p.prefix, err = compile("^(?:" + prefix + ")"); err != nil {
			return nil, err
		}
	}
	first := make([]uint32, len(p.progs))
	for i, prog := range p.progs {
		first[i] = p.base[i] + uint32(prog.Start)
	}
	p.start = p.state(first, true)
	return p, nil
}

// unusual finds what the automaton can't follow: assertions other than the
// text's begin and end. The metadata has none today.
func unusual(inst syntax.Inst) bool {
	op := syntax.EmptyOp(inst.Arg)
	return inst.Op == syntax.InstEmptyWidth && op != syntax.EmptyBeginText && op != syntax.EmptyEndText
}

func newRegionPlan(m *phonenumbers.PhoneMetadata, compile func(string) (int, error)) (regionPlan, error) {
	r := regionPlan{leading: -1}
	if leading := m.GetLeadingDigits(); leading != "" {
		var err error
		if r.leading, err = compile("^(?:" + leading + `)\d*$`); err != nil {
			return r, err
		}
	}
	general, err := newNumberPattern(m.GetGeneralDesc(), compile)
	if err != nil {
		return r, err
	}
	r.general = general
	types := []*phonenumbers.PhoneNumberDesc{
		m.GetFixedLine(), m.GetPremiumRate(), m.GetTollFree(), m.GetSharedCost(), m.GetVoip(),
		m.GetPersonalNumber(), m.GetPager(), m.GetUan(), m.GetVoicemail(),
	}
	if !m.GetSameMobileAndFixedLinePattern() {
		types = append(types, m.GetMobile())
	}
	for _, desc := range types {
		if desc.GetNationalNumberPattern() == "" {
			continue // matches no digits at all
		}
		t, err := newNumberPattern(desc, compile)
		if err != nil {
			return r, err
		}
		r.types = append(r.types, t)
	}
	return r, nil
}

func newNumberPattern(desc *phonenumbers.PhoneNumberDesc, compile func(string) (int, error)) (numberPattern, error) {
	i, err := compile("^(?:" + desc.GetNationalNumberPattern() + ")$")
	n := numberPattern{prog: i}
	for _, length := range desc.GetPossibleLength() {
		if length >= 0 && length <= maxNational {
			n.lengths |= 1 << length
		}
	}
	if len(desc.GetPossibleLength()) == 0 {
		n.lengths = 1<<(maxNational+1) - 1
	}
	return n, err
}

// surelyValid reports that the library finds the national number valid and
// leaves its digits as they are. False means nothing: ask the library.
func (p *numbering) surelyValid(digits []byte) bool {
	s := p.start
	for _, d := range digits {
		if s == p.ask {
			return false
		}
		next := s.next[d-'0'].Load()
		if next == nil {
			next = p.step(s, d)
		}
		s = next
	}
	return len(digits) <= maxNational && s.valid>>len(digits)&1 == 1
}

// step makes the state after s and one more digit.
func (p *numbering) step(s *phoneState, digit byte) *phoneState {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.overfull {
		return p.ask
	}
	var after []uint32
	for _, i := range s.set {
		in := p.anyInst[i]
		inst := &p.progs[in.prog].Inst[in.pc]
		if inst.Op != syntax.InstEmptyWidth && inst.MatchRune(rune(digit)) {
			after = append(after, p.base[in.prog]+inst.Out)
		}
	}
	next := p.state(after, false)
	s.next[digit-'0'].Store(next)
	return next
}

// state finds or makes the state in which these instructions are next.
func (p *numbering) state(from []uint32, start bool) *phoneState {
	set, matched := p.closure(from, start, false)
	if matched[p.prefix] && !start {
		// A national prefix stands before the number, and the library may take
		// it away. At the start the match is empty and there is nothing to take.
		return p.ask
	}
	slices.Sort(set)
	key := make([]byte, 0, 4*len(set))
	for _, i := range set {
		key = binary.LittleEndian.AppendUint32(key, i)
	}
	if s := p.states[string(key)]; s != nil {
		return s
	}
	if len(p.states) >= maxStates {
		p.overfull = true
		return p.ask
	}
	s := &phoneState{set: set}
	if _, atEnd := p.closure(set, false, true); !atEnd[p.prefix] {
		for n := phonenumbers.MIN_LENGTH_FOR_NSN; n <= maxNational; n++ {
			if p.validAt(atEnd, n) {
				s.valid |= 1 << n
			}
		}
	}
	p.states[string(key)] = s
	return s
}

// closure follows what reads no digit. It returns the instructions that read
// one or wait for the end, and the programs that have matched. Program -1 never
// matches.
func (p *numbering) closure(from []uint32, start, end bool) (set []uint32, matched map[int]bool) {
	matched = map[int]bool{}
	done := map[uint32]bool{}
	todo := slices.Clone(from)
	for len(todo) > 0 {
		i := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if done[i] {
			continue
		}
		done[i] = true
		in := p.anyInst[i]
		base, inst := p.base[in.prog], &p.progs[in.prog].Inst[in.pc]
		switch inst.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			todo = append(todo, base+inst.Out, base+inst.Arg)
		case syntax.InstCapture, syntax.InstNop:
			todo = append(todo, base+inst.Out)
		case syntax.InstMatch:
			matched[int(in.prog)] = true
		case syntax.InstFail:
		case syntax.InstEmptyWidth:
			switch op := syntax.EmptyOp(inst.Arg); {
			case op == syntax.EmptyBeginText && start, op == syntax.EmptyEndText && end:
				todo = append(todo, base+inst.Out)
			case op == syntax.EmptyEndText:
				set = append(set, i)
			}
		default:
			set = append(set, i)
		}
	}
	return set, matched
}

// validAt is IsValidNumber of the library: the first region that claims the
// number decides, and a region with leading digits claims by them alone.
func (p *numbering) validAt(matched map[int]bool, length int) bool {
	for i := range p.regions {
		r := &p.regions[i]
		known := r.known(matched, length)
		if len(p.regions) == 1 || r.leading < 0 {
			if known {
				return true
			}
			continue
		}
		if matched[r.leading] {
			return known
		}
	}
	return false
}

func (r *regionPlan) known(matched map[int]bool, length int) bool {
	is := func(n numberPattern) bool { return matched[n.prog] && n.lengths>>length&1 == 1 }
	return is(r.general) && slices.ContainsFunc(r.types, is)
}
