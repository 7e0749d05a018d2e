package doctor

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/installation"
	"github.com/handout-dev/handout/internal/probe"
	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/internal/report"
)

// examineMasterKey looks whether the master key here is the installation's, and opens the
// keys of all campaigns.
func examineMasterKey(ctx context.Context, s *Setup, rdb redis.UniversalClient, stamp installation.Stamp) probe.Finding {
	f := probe.Finding{Fatal: true, Check: "master key", Advice: "set HANDOUT_MASTER_KEY to the installation's, or HANDOUT_MASTER_KEY_PREVIOUS to the one before: docs/security.md, \"The master key\""}
	if err := installation.LookMasterKey(ctx, rdb, s.MasterKeys.IDs()); err != nil {
		f.Found = oneLine(err)
		return f
	}
	if s.KeysURL != "" {
		keys, err := redisx.Open(s.KeysURL, s.Prefix, redisx.WithTLS(s.RedisTLS))
		if err != nil {
			f.Found, f.Advice = oneLine(err), "set HANDOUT_KEYS_URL to the Redis of the campaigns' keys"
			return f
		}
		defer keys.Close()
		s.MasterKeys.KeepKeysIn(keys)
	}
	dark, err := report.NewReader(rdb, s.Rate).Sealed(s.MasterKeys).Dark(ctx)
	var elsewhere *installation.KeyStoreError
	switch {
	case errors.As(err, &elsewhere):
		f.Found, f.Advice = oneLine(err), "set HANDOUT_KEYS_URL: docs/security.md, \"The keys in a Redis of their own\""
	case err != nil:
		f.Found, f.Advice = oneLine(err), "is Redis overloaded, or just failing over?"
	case len(dark) > 0:
		f.Found = fmt.Sprintf("%s, as %s, can't be read: wrapped by a master key that isn't here", campaign.Count(len(dark), "campaign"), dark[0])
	case s.MasterKeys == nil:
		f.OK, f.Found = true, "not set: who is in campaigns stands in Redis in clear"
	case stamp.MasterKey == "":
		f.OK, f.Found = true, "set; nothing is encrypted yet"
	case len(s.MasterKeys.IDs()) > 1:
		f.OK, f.Found = true, "set, with the one before: all campaigns can be read; handout master-key rewrap ends the replacement"
	default:
		f.OK, f.Found = true, "set, and opens the keys of all campaigns"
	}
	return f
}
