package reference_test

import (
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/web/api"
	"github.com/handout-dev/handout/producer"
)

var update = flag.Bool("update", false, "write the documents anew")

const (
	pagePath   = "../../docs/campaign-file.md"
	schemaPath = "../../docs/campaign.schema.json"
	statesPath = "../../docs/states.md"
)

// The generated part of the page stands between these.
const begin, end = "<!-- generated: go test ./test/reference -update -->\n", "<!-- end -->\n"

func TestDocuments_AreWhatTheTableSays(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(pagePath)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no place for what is generated", pagePath)
	}
	page := before + begin + page() + "\nWith every field:\n\n```yaml\n" + example() + "```\n" + end + after
	schema, err := json.MarshalIndent(schema(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{pagePath: page, schemaPath: string(schema) + "\n"} {
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s isn't what the table says, %v: go test ./test/reference -update", path, err)
		}
	}
}

// tags are the JSON names of a struct's fields, which are the file's, too.
func tags(in string, of reflect.Type) []string {
	var all []string
	for i := range of.NumField() {
		name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
		if path := strings.TrimPrefix(in+"."+name, "."); path != "standing" && path != "-" { // no file's
			all = append(all, path)
		}
	}
	return all
}

func TestFields_AreThoseOfTheCode(t *testing.T) {
	t.Parallel()
	inTable := map[string]bool{}
	for _, f := range fields() {
		inTable[f.name] = true
	}
	code := append(tags("", reflect.TypeFor[campaign.Spec]()), tags("channels[]", reflect.TypeFor[campaign.Channel]())...)
	code = append(code, tags("hours", reflect.TypeFor[campaign.Hours]())...)
	code = append(code, tags("default", reflect.TypeFor[campaign.Content]())...)
	for _, path := range code {
		if !inTable[path] {
			t.Errorf("%s isn't in the table", path)
		}
		delete(inTable, path)
	}
	for _, path := range append(tags("", reflect.TypeFor[campaign.Spec]()), "channels") {
		if !slices.Contains(tags("", reflect.TypeFor[api.CampaignFile]()), path) {
			t.Errorf("%s isn't in the API's campaign file", path)
		}
	}
	for path := range inTable {
		t.Errorf("%s is in the table, and in no campaign", path)
	}
}

func TestFields_ExamplesAndChoicesAreTaken(t *testing.T) {
	t.Parallel()
	whole := example()
	if _, err := producer.ParseCampaign("example", []byte(whole)); err != nil {
		t.Errorf("%v\n%s", err, whole)
	}
	for _, f := range fields() {
		_, name := f.parent()
		line := name + ": " + f.example + "\n"
		if f.required && !strings.HasPrefix(f.name, "channels") { // without channels the others' faults stand alone
			if _, err := producer.ParseCampaign("example", []byte(strings.Replace(whole, line, "", 1))); err == nil {
				t.Errorf("%s isn't required", f.name)
			}
		}
		for _, value := range append(f.values, "nonsense") {
			_, err := producer.ParseCampaign("example", []byte(strings.Replace(whole, line, name+": "+value+"\n", 1)))
			if len(f.values) > 0 && (err == nil) != (value != "nonsense") {
				t.Errorf("%s: %s: %v", f.name, value, err)
			}
		}
	}
}

// TestReasons_StandOnThePageOfStates holds docs/states.md against the reasons.
func TestReasons_StandOnThePageOfStates(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(statesPath)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for r := campaign.NoReason + 1; !strings.HasPrefix(r.String(), "Reason("); r++ {
		if n++; !strings.Contains(string(page), "| `"+r.String()+"` | ") {
			t.Errorf("the reason %q isn't in the table of reasons", r)
		}
	}
	if n < 20 {
		t.Errorf("%d reasons", n)
	}
}
