package ledger

import (
	"embed"

	"github.com/redis/go-redis/v9"
)

//go:embed lua
var lua embed.FS

// script reads one; its file says what its keys, arguments and answers are.
func script(name string) *redis.Script {
	source, err := lua.ReadFile("lua/" + name + ".lua")
	if err != nil {
		panic(err) // it was there when this was compiled
	}
	return redis.NewScript(string(source))
}

var (
	applyScript   = script("apply")
	draftScript   = script("draft")
	pagesScript   = script("pages")
	trimScript    = script("trim")
	commitScript  = script("commit")
	steerScript   = script("steer")
	advanceScript = script("advance")
	recallScript  = script("recall")
	appendScript  = script("append")
	repairScript  = script("repair")
	sampleScript  = script("sample")
	rateScript    = script("rate")
	afterScript   = script("after")
)
