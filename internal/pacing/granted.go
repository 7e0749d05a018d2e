package pacing

import "math"

// What Telesign grants is measured. The rate that is set is the ceiling. When the
// answers of a window say "too fast", the rate falls a little below what was
// granted in it, and then grows along a cubic curve: fast back to the peak that was
// granted, slowly around it, and faster the longer nothing is denied (CUBIC, RFC
// 9438), and faster still when the limit has clearly risen. A denied answer or two say
// little: the share of them decides, and some are denied whatever we do.

// granted is what is known of the rate that Telesign grants.
type granted struct {
	round int     // how often the answers have said "too fast"
	since float64 // since when the rate is below the one set; 0: never
	peak  float64 // requests per second that were granted in the last round; 0: never
	grown float64 // for how long it has grown since, in microseconds
	noise float64 // the share of answers that is denied whatever we do
}

// answers are those that were reported together, or nearly.
type answers struct {
	at                    float64
	granted, denied, lost int
}

const (
	// windowSlots is how many slots the window has in which answers are counted, and
	// at a high rate it is a second. It is the unit of the curve, too.
	windowSlots = 50
	// windowParts is in how many parts it slides.
	windowParts = 20
	// maxGrowth bounds how much one call adds to the time of growth: without
	// requests nothing is learnt.
	maxGrowth = 500_000

	// The answers say "too fast" when so many are denied, and of all this share
	// and the noise, with its weight. The share of fewer than fewAnswers says nothing,
	// and that of fewer than minAnswers unless it is over sharpShare.
	fewAnswers  = 20
	minAnswers  = 40
	minDenied   = 3
	deniedShare = 0.035
	noiseWeight = 1.5
	// keptShare is what the rate falls to, of what was granted.
	keptShare = 0.965
	// Where over minSharply answers of the last quarter of the window were denied
	// and over sharpShare of all, the limit has just fallen, and what was granted
	// in the whole window says too much: it counts as low as maxDrop of it.
	minSharply = 4
	sharpShare = 0.4
	maxDrop    = 0.87
	// In one round the rate falls to minKept of what it was, or little below: of a few
	// answers more may be denied by chance.
	minKept = 0.58
	// minShare of the rate set is always tried.
	minShare = 0.01

	// growth is by how much of the peak the rate grows, in a unit's cube.
	growth = 0.012
	// What it has grown beyond farPart of the peak counts farSteep times more: the limit
	// isn't where it was. A limit that stands denies before that.
	farPart  = 0.1
	farSteep = 4
	// Noise is what is denied while the rate is well below the peak, from noiseFrom
	// units on, when the requests of before the fall are over, up to noiseTo of the
	// way. It is an average of some noiseAnswers, and maxNoise at most. At other times
	// it fades within some fadeAnswers, so that a limit isn't taken for it for long.
	noiseFrom    = 0.3
	noiseTo      = 0.75
	noiseAnswers = 300
	fadeAnswers  = 200
	maxNoise     = 0.08
	// Noise is also what is denied, few in all and spread out, while less is granted
	// than this part of the peak. A limit that has fallen denies most answers from a
	// moment on.
	noisePeak    = 0.97
	noiseShare   = 0.12
	noiseDensity = 0.17
	noiseStep    = 0.5
)

// toPeak is how many units the rate takes to be back at the peak.
var toPeak = math.Cbrt((1 - keptShare) / growth)

// window returns how long answers are counted at a gap.
func window(gap float64) float64 { return max(1e6, windowSlots*gap) }

// units returns how long the rate has grown in units of the window.
func (g *granted) units() float64 { return g.grown / window(1e6/g.peak) }

// rate returns how many requests per second are taken to be granted; +Inf: any.
func (g *granted) rate() float64 {
	if g.peak == 0 {
		return math.Inf(1)
	}
	t := g.units() - toPeak
	part := growth * t * t * t
	return g.peak * (1 + part + farSteep*max(0, part-farPart))
}

// gap returns that between slots: at the rate set, or at what is granted.
func (g *granted) gap(set float64) float64 { return max(set, 1e6/g.rate()) }

// grow lets the rate grow for so long.
func (g *granted) grow(by float64) { g.grown += max(0, min(by, maxGrowth)) }

// note takes note of answers, and lowers the rate when they say "too fast".
func (s paceState) note(now, set float64, r report) paceState {
	if r.round != s.granted.round {
		r.denied = 0 // to requests from before the rate was lowered
	}
	if r.granted+r.denied+r.lost == 0 {
		return s
	}
	gap := s.granted.gap(set)
	long := window(gap)
	s.answers = keep(s.answers, now, long, r)
	s.granted.hear(r)
	from := now - long // where the counted answers begin
	young := true      // nothing was reported right before
	var all, late answers
	for _, a := range s.answers {
		switch {
		case a.at > now-long:
			all = all.and(a)
			if a.at > now-long/4 {
				late = late.and(a)
			}
		case a.at > now-2*long:
			from, young = a.at, false
		}
	}
	n := all.granted + all.denied
	if n < fewAnswers || n < minAnswers && all.deniedShare() < sharpShare || all.denied < minDenied || all.deniedShare() < s.granted.tooMany() {
		return s
	}
	peak := (1 - all.deniedShare()) * 1e6 / gap
	if !young {
		// In slots: a busy machine loses some, and of others no one makes use.
		peak = min(peak, float64(all.granted)*1e6/(now-from)*float64(n+all.lost)/float64(n))
	}
	peak = max(peak, minKept*1e6/gap)
	if peak < noisePeak*s.granted.peak && all.deniedShare() < noiseShare && s.density(now-long) < noiseDensity {
		if s.granted.noise += noiseStep * (all.deniedShare() - s.granted.noise); all.deniedShare() < s.granted.tooMany() {
			return s
		}
	}
	if late.denied >= minSharply && late.deniedShare() > sharpShare {
		peak = max(maxDrop*peak, min(peak, (1-late.deniedShare())*1e6/gap))
	}
	if s.granted.since == 0 || gap <= set {
		s.granted.since = now
	}
	s.granted.round++
	s.granted.peak, s.granted.grown = max(peak, minShare*1e6/set), 0
	return s.restart(now)
}

func (a answers) and(b answers) answers {
	return answers{b.at, a.granted + b.granted, a.denied + b.denied, a.lost + b.lost}
}

func (a answers) deniedShare() float64 { return float64(a.denied) / float64(a.granted+a.denied) }

// keep returns the answers that count, with those reported now.
func keep(all []answers, now, long float64, r report) []answers {
	for len(all) > 1 && all[1].at <= now-long {
		all = all[1:]
	}
	kept := append([]answers(nil), all...)
	part := long / windowParts
	new := answers{now, r.granted, r.denied, r.lost}
	if n := len(kept) - 1; n >= 0 && math.Floor(kept[n].at/part) == math.Floor(now/part) {
		kept[n] = kept[n].and(new)
		return kept
	}
	return append(kept, new)
}

// density returns the share of the answers that were denied, of those since the first.
func (s paceState) density(from float64) float64 {
	var since answers
	for _, a := range s.answers {
		if a.at > from && (a.denied > 0 || since.denied > 0) {
			since = since.and(a)
		}
	}
	return since.deniedShare()
}

// tooMany is the share of denied answers from which on they say "too fast".
func (g *granted) tooMany() float64 { return deniedShare + noiseWeight*min(g.noise, maxNoise) }

// hear learns the noise from answers to requests at a rate that is granted.
func (g *granted) hear(r report) {
	n := float64(r.granted + r.denied)
	if g.peak == 0 || n == 0 {
		return
	}
	if t := g.units(); t > noiseFrom && t < noiseTo*toPeak {
		g.noise += (float64(r.denied) - g.noise*n) / max(noiseAnswers, n)
	} else {
		g.noise -= g.noise * min(1, n/fadeAnswers)
	}
}

// restart begins another round: it waits for the rest of Telesign's second, until
// the oldest request that was granted in it has left it, and counts anew who is
// denied.
func (s paceState) restart(now float64) paceState {
	waits := false
	for i, a := range s.answers {
		if !waits && a.granted > 0 && a.at > now-1e6 {
			s.blocked, waits = max(s.blocked, a.at+1e6), true
		}
		s.answers[i].denied = 0
	}
	return s
}
