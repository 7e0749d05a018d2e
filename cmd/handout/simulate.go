package main

import (
	"fmt"
	"log/slog"
	"math"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/internal/orderhistory/store"
	"github.com/handout-dev/handout/telesign/simulator"
)

func (a *app) simulateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "simulate",
		Short: "Be the vendor: a strict double of Telesign to rehearse against",
		Long: "Be the vendor: a strict double of Telesign to rehearse against, without paying\n" +
			"and without reaching anybody. The last two digits of a phone number choose what\n" +
			"happens to its message; telesign/simulator/README.md has the table.\n" +
			"It takes the credentials in TELESIGN_CUSTOMER_ID and TELESIGN_API_KEY; any will do.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.load()
			if err != nil {
				return err
			}
			if err := c.credentials(); err != nil {
				return err
			}
			s, err := newSimulator(c, a.logger(c))
			if err != nil {
				return err
			}
			defer s.Close()
			handler, closeFiles, err := withFiles(c, s)
			if err != nil {
				return err
			}
			defer closeFiles()
			return a.runServer(cmd.Context(), "HANDOUT_SIMULATE_ADDR", c.SimulateAddr, handler)
		},
	}
}

// withFiles serves a folder of files beside the vendor, if one is named.
func withFiles(c *Config, vendor http.Handler) (http.Handler, func(), error) {
	if c.SimulateFiles == "" {
		return vendor, func() {}, nil
	}
	files, err := store.OpenFolder(c.SimulateFiles, "")
	if err != nil {
		return nil, nil, fmt.Errorf("HANDOUT_SIMULATE_FILES: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle(store.FolderPath, files)
	mux.Handle("/", vendor)
	return mux, func() { _ = files.Close() }, nil
}

func newSimulator(c *Config, log *slog.Logger) (*simulator.Simulator, error) {
	rate := c.SimulateRate
	if rate == 0 {
		rate = int(math.Ceil(c.Rate))
	}
	s, err := simulator.New(simulator.Options{
		CustomerID: c.TelesignCustomerID, APIKey: c.TelesignAPIKey.Reveal(), Rate: rate,
		CallbackURL: c.SimulateCallbackURL, Speed: c.SimulateSpeed, Polling: c.SimulatePolling, FetchFiles: c.SimulateFetch, Logger: log,
	})
	if err != nil {
		return nil, usageError{err}
	}
	return s, nil
}
