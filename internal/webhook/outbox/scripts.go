package outbox

import (
	_ "embed" // the scripts

	"github.com/redis/go-redis/v9"
)

// Each script's file describes its keys, arguments and answers.
var (
	//go:embed lua/arm.lua
	armSource string
	//go:embed lua/undelivered.lua
	undeliveredSource string
	//go:embed lua/batch.lua
	batchSource string
	//go:embed lua/advance.lua
	advanceSource string
	//go:embed lua/endpoint.lua
	endpointSource string

	armScript         = redis.NewScript(armSource)
	undeliveredScript = redis.NewScript(undeliveredSource)
	batchScript       = redis.NewScript(batchSource)
	advanceScript     = redis.NewScript(advanceSource)
	endpointScript    = redis.NewScript(endpointSource)
)
