package process_test

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/handout-dev/handout/internal/orderhistory/store"
)

func TestSimulate_ServesAFolderBySignedLinks(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "files")
	p := serve(t, account("").with("HANDOUT_SIMULATE_FILES", dir), "simulate")
	f, err := store.OpenFolder(dir, p.url)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Put(t.Context(), &store.Object{Name: "a/b.xlsx"}, []byte("PK content")); err != nil {
		t.Fatal(err)
	}
	link, err := f.Link(t.Context(), "a/b.xlsx", time.Hour)
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
