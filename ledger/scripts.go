package ledger

import (
	_ "embed" // the scripts

	"github.com/redis/go-redis/v9"
)

// Each script's file says what its keys, arguments and answers are.
var (
	//go:embed lua/apply.lua
	applySource string
	//go:embed lua/draft.lua
	draftSource string
	//go:embed lua/pages.lua
	pagesSource string
	//go:embed lua/trim.lua
	trimSource string
	//go:embed lua/commit.lua
	commitSource string
	//go:embed lua/steer.lua
	steerSource string
	//go:embed lua/advance.lua
	advanceSource string
	//go:embed lua/call.lua
	callSource string
	//go:embed lua/due.lua
	dueSource string
	//go:embed lua/recall.lua
	recallSource string
	//go:embed lua/append.lua
	appendSource string
	//go:embed lua/repair.lua
	repairSource string
	//go:embed lua/sample.lua
	sampleSource string
	//go:embed lua/rate.lua
	rateSource string
	//go:embed lua/after.lua
	afterSource string

	applyScript   = redis.NewScript(applySource)
	draftScript   = redis.NewScript(draftSource)
	pagesScript   = redis.NewScript(pagesSource)
	trimScript    = redis.NewScript(trimSource)
	commitScript  = redis.NewScript(commitSource)
	steerScript   = redis.NewScript(steerSource)
	advanceScript = redis.NewScript(advanceSource)
	callScript    = redis.NewScript(callSource)
	dueScript     = redis.NewScript(dueSource)
	recallScript  = redis.NewScript(recallSource)
	appendScript  = redis.NewScript(appendSource)
	repairScript  = redis.NewScript(repairSource)
	sampleScript  = redis.NewScript(sampleSource)
	rateScript    = redis.NewScript(rateSource)
	afterScript   = redis.NewScript(afterSource)
)
