package process_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/internal/orderhistory/folder"
)

func TestSimulate_ServesAFolderBySignedLinks(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "files")
	p := serve(t, account("").with("HANDOUT_SIMULATE_FILES", dir), "simulate")
	f, err := folder.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Write("a/b.xlsx", strings.NewReader("PK content")); err != nil {
		t.Fatal(err)
	}
	link, err := f.Link(p.url, "a/b.xlsx", time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if status, body := get(t, link); status != http.StatusOK || body != "PK content" {
		t.Errorf("%d %q", status, body)
	}
	if status, _ := get(t, p.url+"/files/a/b.xlsx"); status != http.StatusNotFound {
		t.Errorf("without a signature: %d", status)
	}
	if status, _ := get(t, p.url+"/healthz"); status != http.StatusOK {
		t.Errorf("/healthz: %d", status)
	}
	p.stop()
}
