// Package version says which version the programs are.
package version

import "runtime/debug"

// release is set when a release is built, and the image:
// -ldflags '-X github.com/handout-dev/handout/internal/version.release=v1.2.0'.
var release string

// String returns the release; without one what Go knows of the source: the module's
// version, as in v0.1.1-0.20261129155206-06e1e4401ba4+dirty, or the commit, as in
// 06e1e4401ba4-dirty; else devel.
func String() string {
	if release != "" {
		return release
	}
	info, _ := debug.ReadBuildInfo()
	return built(info)
}

func built(info *debug.BuildInfo) string {
	if info == nil {
		return "devel"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	version, dirty := "devel", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && s.Value != "":
			version = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	return version + dirty
}
