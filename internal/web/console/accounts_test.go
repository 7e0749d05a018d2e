package console_test

import (
	"net/http"
	"testing"

	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/internal/web/console"
)

// Where there is one account, no page speaks of it.
func TestAccounts_AreNamedWhereThereAreSeveral(t *testing.T) {
	t.Parallel()
	one := open(t, nil)
	one.submit(t, "spring", 1, false, "")
	b := one.login(t, "olga", access.Read)
	for _, page := range []string{"/campaigns", "/campaigns/spring", "/templates"} {
		b.miss(b.get(http.StatusOK, page), `id="account"`, "account default")
	}
	h := open(t, func(o *console.Options) { o.Accounts = map[string]operations.Account{"us": {Rate: 40}} })
	h.submit(t, "spring", 1, false, "")
	h.submit(t, "autumn", 1, false, "account: us\n")
	b = h.login(t, "olga", access.Read)
	b.see(b.get(http.StatusOK, "/campaigns"), `<option value="us">us</option>`, "account us", "account default")
	a := b.get(http.StatusOK, "/campaigns?account=us")
	b.see(a, `id="campaign-autumn"`, `<option value="us" selected>us</option>`)
	b.miss(a, `id="campaign-spring"`)
	b.see(b.get(http.StatusOK, "/campaigns/autumn"), "through the account us")
	b.see(b.get(http.StatusOK, "/templates?account=us"), `<option value="us" selected>us</option>`)
	b.get(http.StatusUnprocessableEntity, "/templates?account=eu")
}
