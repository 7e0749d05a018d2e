package console

import (
	"net/http"

	"github.com/handout-dev/handout/internal/access"
)

// routes are all addresses, by vertical.
func (c *Console) routes() {
	c.shellRoutes()
	c.campaignRoutes()
}

func (c *Console) shellRoutes() {
	c.mux.Handle("GET /assets/", assetHandler())
	c.mux.HandleFunc("GET /login", c.loginPage)
	c.mux.HandleFunc("POST /login", c.login)
	c.mux.HandleFunc("POST /logout", c.logout)
	c.mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/campaigns", http.StatusSeeOther)
	})
	// Every path that isn't there, and every method that a page hasn't.
	c.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		v, err := c.enter(w, r, access.Read)
		if err == nil {
			err = errNoPage
		}
		c.fail(w, r, v, err)
	})
}

func (c *Console) campaignRoutes() {
	c.page("GET /campaigns", access.Read, c.campaigns)
}
