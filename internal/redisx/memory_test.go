package redisx_test

import (
	"testing"

	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/test/redistest"
)

func TestMemory_IsWhatRedisUsesAndHas(t *testing.T) {
	t.Parallel()
	limited := redistest.Start(t, redistest.Set("maxmemory", "100mb"))
	used, most, err := redisx.Memory(t.Context(), limited.Client())
	if err != nil || most != 100<<20 || used < 100<<10 || used > most {
		t.Errorf("%d of %d bytes; %v", used, most, err)
	}
	free := redistest.Start(t)
	if used, most, err = redisx.Memory(t.Context(), free.Client()); err != nil || most <= used || used < 100<<10 {
		t.Errorf("without maxmemory: %d of %d bytes; %v", used, most, err)
	}
	free.Kill()
	if _, _, err = redisx.Memory(t.Context(), free.Client()); err == nil {
		t.Error("no error without a Redis")
	}
}
