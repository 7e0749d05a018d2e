package console

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/report"
)

// Charts are drawn here within these bounds, which stand in templates/campaign.html,
// too, and scaled by the page. The right margin is for the lines' names.
const (
	plotLeft   = 76
	plotRight  = 640
	plotTop    = 12
	plotBottom = 240
)

// curve is a line of a chart, with its name where it ends.
type curve struct {
	Key, Name, Path string
	EndX, EndY      float64 // of the line
	NameY           float64
}

// tick is a mark of an axis: a place, and what stands there.
type tick struct {
	At   float64
	Text string
}

// frame is what all charts have. Words is for who doesn't see the chart.
type frame struct {
	Curves    []curve
	X, Y      []tick
	Words     string
	Limit     float64 // where a vertical line stands; 0: there is none
	LimitText string
}

type point struct{ x, y float64 } // 0 to 1 each

func newCurve(key, name string, points []point) curve {
	var b strings.Builder
	c := curve{Key: key, Name: name}
	for i, p := range points {
		verb := 'L'
		if i == 0 {
			verb = 'M'
		}
		c.EndX, c.EndY = plotLeft+p.x*(plotRight-plotLeft), plotBottom-p.y*(plotBottom-plotTop)
		fmt.Fprintf(&b, "%c%.1f %.1f", verb, c.EndX, c.EndY)
	}
	c.Path, c.NameY = b.String(), c.EndY
	return c
}

// spread moves names apart that would lie on each other.
func spread(curves []curve) {
	const apart = 15
	order := make([]*curve, len(curves))
	for i := range curves {
		order[i] = &curves[i]
	}
	slices.SortStableFunc(order, func(a, b *curve) int { return cmp.Compare(b.NameY, a.NameY) }) // from the lowest up
	for i := 1; i < len(order); i++ {
		order[i].NameY = min(order[i].NameY, order[i-1].NameY-apart)
	}
	for i := len(order) - 1; i >= 0; i-- { // and back into the picture
		least := float64(plotTop)
		if i+1 < len(order) {
			least = order[i+1].NameY + apart
		}
		order[i].NameY = max(order[i].NameY, least)
	}
}

func niceTicks(most int) (ticks []tick, top float64) {
	step := 1.0
	if most > 4 {
		raw := float64(most) / 4
		step = math.Pow(10, math.Floor(math.Log10(raw)))
		for _, f := range []float64{1, 2, 2.5, 5, 10} {
			if f*step >= raw && f*step == math.Trunc(f*step) {
				step *= f
				break
			}
		}
	}
	top = max(step, math.Ceil(float64(most)/step)*step)
	for n := 0.0; n <= top; n += step {
		ticks = append(ticks, tick{plotBottom - n/top*(plotBottom-plotTop), campaign.Number(int(n))})
	}
	return ticks, top
}

type timeChart struct {
	frame
	From, To time.Time
}

const maxPoints = 300

func (c *Console) timeChart(ctx context.Context, s *operations.Standing) (*timeChart, error) {
	samples, err := c.reports.Samples(ctx, s.Info, s.Balance)
	return drawTime(samples), err
}

func drawTime(samples []report.Sample) *timeChart {
	if len(samples) < 2 || !samples[len(samples)-1].At.After(samples[0].At) {
		return nil
	}
	from, to := samples[0].At, samples[len(samples)-1].At
	thin := samples[:0:0]
	for i := range samples {
		if n := len(thin); n == 0 || i == len(samples)-1 || samples[i].At.Sub(thin[n-1].At) >= to.Sub(from)/maxPoints {
			thin = append(thin, samples[i])
		}
	}
	lines := []struct {
		key, name string
		of        func(*campaign.Balance) int
	}{
		{"whatsapp", "WhatsApp", func(b *campaign.Balance) int { return b.By[campaign.ByWhatsApp] }},
		{"sms", "SMS", func(b *campaign.Balance) int { return b.By[campaign.BySMS] }},
		{"both", "both", func(b *campaign.Balance) int { return b.By[campaign.ByBoth] }},
		{"failed", "failed", func(b *campaign.Balance) int { return b.Of(campaign.Failed) + b.Of(campaign.Refused) }},
	}
	most := 0
	for i := range thin {
		for _, l := range lines {
			most = max(most, l.of(&thin[i].Balance))
		}
	}
	if most == 0 {
		return nil
	}
	chart := &timeChart{From: from, To: to}
	ticks, top := niceTicks(most)
	chart.Y = ticks
	last := &thin[len(thin)-1].Balance
	var said []string
	for _, l := range lines {
		points := make([]point, len(thin))
		for i := range thin {
			points[i] = point{float64(thin[i].At.Sub(from)) / float64(to.Sub(from)), float64(l.of(&thin[i].Balance)) / top}
		}
		chart.Curves = append(chart.Curves, newCurve(l.key, l.name+" "+campaign.Number(l.of(last)), points))
		said = append(said, l.name+" "+campaign.Number(l.of(last)))
	}
	spread(chart.Curves)
	chart.X = timeTicks(from, to)
	chart.Words = "People over time, from " + when(from) + " to " + when(to) + ". At the end: " + strings.Join(said, ", ") + "."
	return chart
}

// timeTicks are round moments between two.
func timeTicks(from, to time.Time) []tick {
	steps := []time.Duration{
		5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute,
		time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 48 * time.Hour,
	}
	step := steps[len(steps)-1]
	for _, s := range steps {
		if to.Sub(from)/s <= 5 {
			step = s
			break
		}
	}
	layout := "15:04"
	switch {
	case step < time.Minute:
		layout = "15:04:05"
	case to.Sub(from) > 20*time.Hour:
		layout = "2 Jan 15:04"
	}
	var ticks []tick
	for at := from.Truncate(step).Add(step); !at.After(to) && len(ticks) < 7; at = at.Add(step) {
		x := float64(at.Sub(from)) / float64(to.Sub(from))
		ticks = append(ticks, tick{plotLeft + x*(plotRight-plotLeft), at.UTC().Format(layout)})
	}
	return ticks
}

var spans = []time.Duration{
	time.Second, 5 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 3 * time.Hour, 12 * time.Hour, 24 * time.Hour, 72 * time.Hour,
}

// chart is what share of a channel's deliveries had come how long after the sending, on
// a logarithmic axis of time. limit is today's fallback time; 0: there is none.
func (t *timing) chart(limit time.Duration) *frame {
	if len(t.whatsApp)+len(t.sms) == 0 {
		return nil
	}
	most := limit
	for _, took := range [][]time.Duration{t.whatsApp, t.sms} {
		if len(took) > 0 {
			most = max(most, took[len(took)-1])
		}
	}
	end := spans[len(spans)-1]
	for i := len(spans) - 1; i > 0 && spans[i] >= most; i-- {
		end = spans[i]
	}
	place := func(d time.Duration) float64 { // of 0 s as of 1 s
		return min(1, math.Log(max(1, d.Seconds()))/math.Log(end.Seconds()))
	}
	chart := &frame{}
	for _, s := range spans {
		if s <= end {
			chart.X = append(chart.X, tick{plotLeft + place(s)*(plotRight-plotLeft), campaign.FormatDuration(s)})
		}
	}
	for p := 0; p <= 100; p += 25 {
		chart.Y = append(chart.Y, tick{plotBottom - float64(p)/100*(plotBottom-plotTop), fmt.Sprintf("%d %%", p)})
	}
	line := func(key, name string, took []time.Duration, of int) {
		if len(took) == 0 {
			return
		}
		points := []point{{0, 0}}
		for i, d := range took {
			if i+1 < len(took) && took[i+1] == d {
				continue // one step for all of a second
			}
			x := place(d)
			points = append(points, point{x, points[len(points)-1].y}, point{x, float64(i+1) / float64(of)})
		}
		points = append(points, point{1, points[len(points)-1].y})
		chart.Curves = append(chart.Curves, newCurve(key, name, points))
	}
	line("whatsapp", "WhatsApp", t.whatsApp, len(t.whatsApp)+t.both)
	line("sms", "SMS", t.sms, len(t.sms))
	spread(chart.Curves)
	if limit > 0 {
		chart.Limit, chart.LimitText = plotLeft+place(limit)*(plotRight-plotLeft), "fallback "+campaign.FormatDuration(limit)
	}
	chart.Words = "Share of deliveries by the time since the sending; the table has the numbers."
	return chart
}
