package outbox

import (
	_ "embed" // the scripts

	"github.com/redis/go-redis/v9"
)

// Each script's file says what its keys, arguments and answers are.
var (
	//go:embed lua/arm.lua
	armSource string
	//go:embed lua/outbox.lua
	outboxSource string
	//go:embed lua/batch.lua
	batchSource string
	//go:embed lua/told.lua
	toldSource string
	//go:embed lua/endpoint.lua
	endpointSource string

	armScript      = redis.NewScript(armSource)
	outboxScript   = redis.NewScript(outboxSource)
	batchScript    = redis.NewScript(batchSource)
	toldScript     = redis.NewScript(toldSource)
	endpointScript = redis.NewScript(endpointSource)
)
