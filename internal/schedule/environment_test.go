package schedule_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/handout-dev/handout/internal/schedule"
)

func TestEnvironment_HasNoSecretOfHandoutsButWhereRedisIs(t *testing.T) {
	for _, name := range []string{
		"TELESIGN_API_KEY", "TELESIGN_API_KEY_FILE", "HANDOUT_TELESIGN_API_KEY", "HANDOUT_SCHEDULE_S3_SECRET_KEY_FILE", "HANDOUT_OIDC_CLIENT_SECRET", "REDIS_PASSWORD_WORK",
		"HANDOUT_OF_NEXT_YEAR", "REDIS_URL", "HANDOUT_PREFIX", "ORDERHISTORY_SHOP_URL", "LISTS",
	} {
		t.Setenv(name, "x")
	}
	var got []string
	for _, variable := range schedule.Environment() {
		name, _, _ := strings.Cut(variable, "=")
		if strings.Contains(name, "HANDOUT_") || strings.HasPrefix(name, "TELESIGN_") || strings.HasPrefix(name, "REDIS_") || name == "LISTS" || name == "ORDERHISTORY_SHOP_URL" {
			got = append(got, name)
		}
	}
	slices.Sort(got)
	if want := []string{"HANDOUT_PREFIX", "LISTS", "ORDERHISTORY_SHOP_URL", "REDIS_URL"}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}
