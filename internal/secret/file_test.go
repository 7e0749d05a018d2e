package secret_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handout-dev/handout/internal/secret"
)

func TestFromFile_ReadsOneSecretAndSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name, beside, content, want, wrong string
	}{
		{name: "a line", content: "s3cret\n", want: "s3cret"},
		{name: "a line of Windows", content: "s3cret\r\n", want: "s3cret"},
		{name: "without an end", content: " s3 cret ", want: " s3 cret "},
		{name: "empty", content: "\n", wrong: "is empty"},
		{name: "long", content: strings.Repeat("a", 1<<20), wrong: "too long"},
		{name: "both", content: "s3cret", beside: "other", wrong: "set one of them"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(dir, strings.ReplaceAll(c.name, " ", "-"))
			if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("SOME_KEY_FILE", path)
			t.Setenv("SOME_KEY", c.beside)
			got, found, err := secret.FromFile("SOME_KEY")
			if got != c.want || found != (c.wrong == "") || (err != nil) != (c.wrong != "") {
				t.Errorf("%q, %v, %v", got, found, err)
			}
			if err != nil && (!strings.Contains(err.Error(), c.wrong) || strings.Contains(err.Error(), "s3cret")) {
				t.Error(err)
			}
		})
	}
	t.Setenv("SOME_KEY_FILE", filepath.Join(dir, "nowhere"))
	if _, _, err := secret.FromFile("SOME_KEY"); err == nil {
		t.Error("a file that isn't there is no secret")
	}
}
