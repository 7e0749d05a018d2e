package worker

import (
	"errors"
	"fmt"
	"time"

	"github.com/hibiken/asynq"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/pacing"
	"github.com/handout-dev/handout/internal/queue"
	"github.com/handout-dev/handout/tasks"
	"github.com/handout-dev/handout/telesign"
)

// Account is a Telesign account, or a sender of one, that a worker sends through.
type Account struct {
	Name     string // empty: [campaign.DefaultAccount]
	Telesign *telesign.Client
	// Rate is the account's limit in messages per second, shared by all workers
	// on one Redis; 0 is no limit.
	Rate float64
	// PollRate is the limit of status queries per second.
	PollRate float64
	// CallbackURL goes with each message; empty: the account's own.
	CallbackURL string
	// SenderID goes with messages of campaigns that have none.
	SenderID string
}

// account is all that an account has for itself: limiters, polls, queues, and places for
// sends in flight. One that is throttled, or slow, keeps nothing from another.
type account struct {
	name        string
	telesign    *telesign.Client
	callbackURL string
	senderID    string

	pace, pollPace *pacing.Pacer
	pollRate       float64
	polling        pollGate
	rates          *rates
	flights        *flights
	metrics        accountMetrics

	urgent, bulk, polls *asynq.Server
}

func (w *Worker) newAccount(o *Options, own Account) (*account, error) {
	if own.Name == "" {
		own.Name = campaign.DefaultAccount
	}
	if own.Telesign == nil || own.Rate < 0 || w.accounts[own.Name] != nil {
		return nil, fmt.Errorf("worker: account %s has no client, a rate of %v, or is there twice", own.Name, own.Rate)
	}
	a := &account{
		name: own.Name, telesign: own.Telesign, callbackURL: own.CallbackURL, senderID: own.SenderID,
		pace:     pacing.New(o.Redis, pacing.KeyAccount(o.Redis, own.Name), own.Rate),
		pollPace: pacing.New(o.Redis, pacing.KeyPolls(o.Redis, own.Name), own.PollRate), pollRate: own.PollRate,
		metrics: w.metrics.of(own.Name),
	}
	a.pace.CountIn(w.metrics.slots("account", own.Name))
	a.pollPace.CountIn(w.metrics.slots("poll", own.Name))
	a.rates = newRates(o.Redis, own.Name, a.pace, own.Rate, w.metrics.slots("campaign", own.Name))
	a.polling.never, a.polling.closed = !o.Poll, a.metrics.pollsRefused
	log := queue.Logger{Log: o.Logger}
	// The whole send must end before asynq gives a task back to the queue.
	shutdown := o.SendTimeout + recordPatience + time.Second
	server := func(name string, concurrency int, looks queue.Looks) *asynq.Server {
		looks.Stopping, name = w.stopping.Done(), tasks.OfAccount(name, own.Name)
		return asynq.NewServerFromRedisClient(w.queue.Looker(name, looks), asynq.Config{
			Concurrency:              concurrency,
			Queues:                   map[string]int{w.queue.Name(name): 1},
			TaskCheckInterval:        queue.LookInterval,
			DelayedTaskCheckInterval: sendForward,
			ShutdownTimeout:          shutdown,
			RetryDelayFunc:           retryDelay,
			IsFailure:                func(err error) bool { return !errors.Is(err, errStopping) },
			Logger:                   log,
			LogLevel:                 asynq.WarnLevel,
		})
	}
	// A server for each queue: one for several asks them one after the other for
	// every single task, and urgent tasks would wait for handlers of bulk ones.
	a.flights = newFlights(o.Concurrency, func() { w.queue.LookAgain(tasks.OfAccount(tasks.QueueBulk, own.Name)) })
	a.urgent = server(tasks.QueueUrgent, o.Concurrency, queue.Looks{Shortest: emptyLook, Longest: emptyLook})
	a.bulk = server(tasks.QueueBulk, o.Concurrency, queue.Looks{Shortest: drainedLook, Longest: emptyLook, Open: a.flights.room})
	a.polls = server(tasks.QueuePolls, pollsAtOnce, queue.Looks{Shortest: pollLook, Longest: pollLook})
	return a, nil
}

func (a *account) servers() []*asynq.Server { return []*asynq.Server{a.polls, a.bulk, a.urgent} }

// queueOf is the queue of a campaign's sends.
func queueOf(s *campaign.Spec) string {
	return tasks.OfAccount(tasks.QueueOf(s.Lane), s.AccountName())
}
