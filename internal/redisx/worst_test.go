package redisx

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWorst_OneBadNodeSpoilsTheCluster(t *testing.T) {
	t.Parallel()
	good := Info{
		Version: "7.2.1", AtLeast62: true, AppendOnly: true, AppendFsync: "always",
		MaxMemoryPolicy: "noeviction", MaxMemory: 100, UsedMemory: 10, ClockOffset: time.Millisecond,
	}
	bad := Info{
		Version: "6.0.16", AppendFsync: "no", MaxMemoryPolicy: "allkeys-lru",
		MaxMemory: 50, UsedMemory: 40, ClockOffset: -time.Minute, ConfigHidden: true, ClockHidden: true,
	}
	for _, nodes := range [][]Info{{good, bad}, {bad, good}, {good, bad, good}} {
		if diff := cmp.Diff(bad, worst(nodes), cmp.AllowUnexported(Info{})); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
	if diff := cmp.Diff(good, worst([]Info{good, good}), cmp.AllowUnexported(Info{})); diff != "" {
		t.Errorf("a good cluster (-want +got)\n%s", diff)
	}
}

func TestOlder_ReadsVersions(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{
		"6.2.0": true, "6.2": true, "7.0.15": true, "10.0.0": true, "255.255.255": true,
		"6.0.16": false, "5.9.9": false, "": false, "unknown": false,
	} {
		if got := !older(version, "6.2"); got != want {
			t.Errorf("%q is at least 6.2: %v", version, got)
		}
	}
}
