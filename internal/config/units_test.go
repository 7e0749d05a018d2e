package config_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/handout-dev/handout/internal/config"
)

// inEnvironmentFile is a variable of an environment file, set or only shown.
var inEnvironmentFile = regexp.MustCompile(`(?m)^(#?)([A-Z][A-Z0-9_]*)=(.*)$`)

// What the services' environment files set or show, handout reads, and takes.
func TestUnits_SetWhatHandoutReads(t *testing.T) {
	known := make(map[string]bool)
	for _, v := range new(config.Config).Variables() {
		known[v.Name] = true
		if file := v.Name + "_FILE"; strings.Contains(v.Description, file) {
			known[file] = true
		}
	}
	files, err := filepath.Glob("../../deploy/systemd/*.env")
	if err != nil || len(files) != 5 {
		t.Fatalf("%d environment files, %v: handout.env, and one for each service", len(files), err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			all := inEnvironmentFile.FindAllStringSubmatch(string(text), -1)
			if len(all) < 3 {
				t.Errorf("only %d variables", len(all))
			}
			for _, m := range all {
				shown, name, value := m[1] != "", m[2], m[3]
				if !known[name] {
					t.Errorf("%s: handout has no such variable", name)
				}
				if strings.HasSuffix(name, "_FILE") && !shown {
					t.Errorf("%s is set: the file isn't there before the operator puts it there", name)
				}
				if !strings.HasSuffix(name, "_FILE") && !strings.Contains(name, "_S3_") { // keys go together
					t.Setenv(name, value)
				}
			}
			if _, err := config.Load(); err != nil {
				t.Error(err)
			}
		})
	}
}
