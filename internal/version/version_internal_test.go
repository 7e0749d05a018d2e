package version

import (
	"runtime/debug"
	"testing"
)

func TestBuilt_SaysWhatGoKnowsOfTheSource(t *testing.T) {
	t.Parallel()
	commit := debug.BuildSetting{Key: "vcs.revision", Value: "06e1e4401ba4d1c1f8a0c1f0c1f8a0c1f0c1f8a0"}
	changed := debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	for want, info := range map[string]*debug.BuildInfo{
		"v0.2.0":             {Main: debug.Module{Version: "v0.2.0"}, Settings: []debug.BuildSetting{commit}},
		"06e1e4401ba4":       {Main: debug.Module{Version: "(devel)"}, Settings: []debug.BuildSetting{commit, {Key: "vcs.modified", Value: "false"}}},
		"06e1e4401ba4-dirty": {Settings: []debug.BuildSetting{commit, changed}},
		"devel":              {Main: debug.Module{Version: "(devel)"}},
	} {
		if got := built(info); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := built(nil); got != "devel" {
		t.Errorf("without what Go knows: %q", got)
	}
}

// How a release is named by the linker is tested with the image, in test/compose.
func TestString_IsTheReleaseWhereThereIsOne(t *testing.T) {
	release = "v1.2.0"
	defer func() { release = "" }()
	if got := String(); got != "v1.2.0" {
		t.Errorf("%q", got)
	}
}
