package console

import (
	"errors"
	"net/http"

	"github.com/handout-dev/handout/internal/web/access"
)

// routes are all addresses, by vertical.
func (c *Console) routes() {
	c.shellRoutes()
	c.campaignRoutes()
	c.peopleRoutes()
	c.newCampaignRoutes()
	c.suppressionRoutes()
	c.keyRoutes()
}

func (c *Console) shellRoutes() {
	c.mux.Handle("GET /assets/", assetHandler())
	c.mux.HandleFunc("GET /login", c.loginPage)
	c.mux.HandleFunc("POST /login", c.login)
	c.mux.HandleFunc("POST /logout", c.logout)
	c.mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/campaigns", http.StatusSeeOther)
	})
	// Every path that isn't there, and every method that one hasn't.
	c.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		v, err := c.enter(w, r, access.Read)
		switch {
		case errors.Is(err, access.ErrRefused) && r.Header.Get("Authorization") == "" && r.Method == http.MethodGet:
			err = errNoPage // a login leads to nothing
		case err != nil:
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			err = refuse(http.StatusMethodNotAllowed, "Nothing takes a %s at this address.", r.Method)
		default:
			err = errNoPage
		}
		c.fail(w, r, v, err)
	})
}

func (c *Console) campaignRoutes() {
	c.page("GET /campaigns", access.Read, c.campaigns)
	c.page("GET /campaigns/{id}", access.Read, c.campaign)
	c.page("GET /campaigns/{id}/picture", access.Read, c.picture)
	c.mux.HandleFunc("GET /campaigns/{id}/live", c.watch)

	c.form("POST /campaigns/{id}/pause", access.Control, c.steer(c.standing, c.ops.Pause, "The campaign is paused: %s."))
	c.page("GET /campaigns/{id}/resume", access.Control, c.askResume)
	c.form("POST /campaigns/{id}/resume", access.Control, c.steer(c.asked, c.ops.Resume, "The campaign goes on: %s."))
	c.page("GET /campaigns/{id}/cancel", access.Control, c.askCancel)
	c.form("POST /campaigns/{id}/cancel", access.Control, c.steer(c.asked, c.ops.Cancel, "The campaign is canceled."))
	c.page("GET /campaigns/{id}/reschedule", access.Control, c.askReschedule)
	c.form("POST /campaigns/{id}/reschedule", access.Control, c.reschedule)
	c.page("GET /campaigns/{id}/rate", access.Control, c.askRate)
	c.form("POST /campaigns/{id}/rate", access.Control, c.setRate)
	c.page("GET /campaigns/{id}/retry", access.Control, c.askRetry)
	c.form("POST /campaigns/{id}/retry", access.Control, c.retry)
	c.page("GET /campaigns/{id}/purge", access.Control, c.askPurge)
	c.form("POST /campaigns/{id}/purge", access.Control, c.purge)
}
