package phone

import (
	"os"
	"strings"
	"testing"
)

func TestData_IsThatOfTheLibraryInUse(t *testing.T) {
	t.Parallel()
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(mod), "github.com/nyaruka/phonenumbers "+dataLibrary+"\n") {
		t.Errorf("go.mod has another version than %s: correct DataVersion, dataLibrary and dataDay", dataLibrary)
	}
	if DataDay().Year() < 2026 {
		t.Errorf("%v", DataDay())
	}
}
