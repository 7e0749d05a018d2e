package callbacks

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/handout-dev/handout/telesign"
)

// heard counts a receipt by its status code.
type heard struct {
	codes *prometheus.CounterVec
	last  *prometheus.GaugeVec // not there until there was one
}

func newHeard(r prometheus.Registerer) *heard {
	h := &heard{
		codes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "handout_receipt_codes_total",
			Help: "Receipts that were verified and read, by Telesign's status code; unknown for one that isn't in our table.",
		}, []string{"code"}),
		last: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "handout_last_receipt_timestamp_seconds",
			Help: "When this listener last took a receipt that it could verify and read, Unix time.",
		}, nil),
	}
	r.MustRegister(h.codes, h.last)
	return h
}

func (h *heard) receipt(r telesign.Receipt) {
	code := "unknown"
	if r.Status.Code.Known() { // else a signer could make labels without end
		code = strconv.Itoa(int(r.Status.Code))
	}
	h.codes.WithLabelValues(code).Inc()
	h.last.WithLabelValues().SetToCurrentTime()
}
