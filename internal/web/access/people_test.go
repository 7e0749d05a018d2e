package access_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/internal/web/access"
)

func TestParseGroups_ReadsNamesAsProvidersHaveThem(t *testing.T) {
	t.Parallel()
	got, err := access.ParseGroups(" ops=read, control ;/ops/night=read;cn=ops,ou=people=people,read; ")
	want := map[string][]access.Scope{"ops": {access.Read, access.Control}, "/ops/night": {access.Read}, "cn=ops,ou=people": {access.People, access.Read}}
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for text, says := range map[string]string{
		"": "must name groups", ";": "must name groups", "ops": "isn't a group", "=read": "isn't a group", "ops=": "there is no scope", "ops=*": "there is no scope", "a=read;a=read": "twice",
	} {
		if got, err := access.ParseGroups(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}
