// Package program finds the programs that tests drive from outside. Only tests
// import it.
package program

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Find returns the path of the program that cmd/<name> holds: the one in the
// folder that TEST_PROGRAMS names, where make has built it for all packages of
// tests, else one that it builds into dir.
func Find(name, dir string) (string, error) {
	if built := os.Getenv("TEST_PROGRAMS"); built != "" {
		path := filepath.Join(built, name)
		_, err := os.Stat(path) // go test runs the tests again after the file has changed
		return path, err
	}
	path := filepath.Join(dir, name)
	if out, err := exec.Command("go", "build", "-o", path, "github.com/handout-dev/handout/cmd/"+name).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	return path, nil
}
