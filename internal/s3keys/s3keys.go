// Package s3keys finds the keys to buckets.
package s3keys

import (
	"net/http"
	"os"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/handout-dev/handout/internal/outbound"
	"github.com/handout-dev/handout/internal/secret"
)

// Keys are those that were set.
type Keys struct {
	AccessKey    string
	SecretKey    secret.Text
	SessionToken secret.Text // of temporary keys
}

// maxWait bounds a request to what gives out keys. A metadata server that isn't there
// doesn't refuse: packets to it get lost.
const maxWait = 3 * time.Second

// Credentials returns the keys that were set. Without any it looks where AWS's own
// programs do: in AWS_ACCESS_KEY_ID and its kin, in AWS's files, and at the roles of
// pods, tasks and machines, whose keys are renewed before they end. Where there are
// none it makes requests without keys, for buckets that are open to all.
func (k Keys) Credentials(route *outbound.Route) *credentials.Credentials {
	return k.within(maxWait, route)
}

func (k Keys) within(limit time.Duration, route *outbound.Route) *credentials.Credentials {
	if k.AccessKey != "" {
		return credentials.NewStaticV4(k.AccessKey, k.SecretKey.Reveal(), k.SessionToken.Reveal())
	}
	chain := []credentials.Provider{&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}}
	// The switch of AWS's own programs. The other sources of roles are set by variables.
	if os.Getenv("AWS_EC2_METADATA_DISABLED") != "true" || os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE") != "" ||
		os.Getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI") != "" || os.Getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") != "" {
		chain = append(chain, &credentials.IAM{Client: &http.Client{Timeout: limit, Transport: route.Through(&http.Transport{DisableKeepAlives: true})}})
	}
	return credentials.New(&once{Chain: credentials.Chain{Providers: chain}})
}

// once is a chain that doesn't look again where it has found nothing: the library would
// for each request to the bucket. Its callers have the lock of their credentials.
type once struct {
	credentials.Chain
	none bool
}

func (o *once) RetrieveWithCredContext(cc *credentials.CredContext) (credentials.Value, error) {
	v, err := o.Chain.RetrieveWithCredContext(cc)
	o.none = err == nil && v.AccessKeyID == ""
	return v, err
}

func (o *once) IsExpired() bool { return !o.none && o.Chain.IsExpired() }
