package s3keys

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/handout-dev/handout/internal/outbound"
	"github.com/handout-dev/handout/internal/secret"
	"github.com/handout-dev/handout/test/proxytest"
)

// alone is an environment without any keys.
func alone(t *testing.T) {
	t.Helper()
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE",
		"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
	} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

func TestCredentials_AreThoseThatWereSet(t *testing.T) {
	alone(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "other")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "other")
	v, err := Keys{"key", secret.New("s"), secret.New("token")}.Credentials(nil).GetWithContext(nil)
	if err != nil || v.AccessKeyID != "key" || v.SecretAccessKey != "s" || v.SessionToken != "token" {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestCredentials_AreFoundWhereAWSLooks(t *testing.T) {
	alone(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "env")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s")
	t.Setenv("AWS_SESSION_TOKEN", "token")
	if v, err := (Keys{}).Credentials(nil).GetWithContext(nil); err != nil || v.AccessKeyID != "env" || v.SessionToken != "token" {
		t.Errorf("by variables: %+v, %v", v, err)
	}
	alone(t)
	pod := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"AccessKeyId":"pod","SecretAccessKey":"s","Token":"token","Expiration":%q}`, time.Now().Add(time.Hour).Format(time.RFC3339))
	}))
	t.Cleanup(pod.Close)
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", pod.URL)
	if v, err := (Keys{}).Credentials(nil).GetWithContext(nil); err != nil || v.AccessKeyID != "pod" || v.SessionToken != "token" {
		t.Errorf("of a pod: %+v, %v", v, err)
	}
}

func TestCredentials_DoNotWaitForAServerThatIsNotThere(t *testing.T) {
	alone(t)
	if v, err := (Keys{}).Credentials(nil).GetWithContext(nil); err != nil || v.SignerType != credentials.SignatureAnonymous {
		t.Errorf("without any: %+v, %v", v, err)
	}
	ended := make(chan struct{}, 2)
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done(); ended <- struct{}{} }))
	t.Cleanup(silent.Close)
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", silent.URL)
	c := (Keys{}).within(50*time.Millisecond, nil)
	for range 3 { // and not for each request to the bucket
		if v, err := c.GetWithContext(nil); err != nil || v.SignerType != credentials.SignatureAnonymous {
			t.Errorf("of a silent server: %+v, %v", v, err)
		}
	}
	<-ended // given up by the client: nothing else ends the request
	silent.Close()
	if len(ended) != 0 {
		t.Error("it is asked again")
	}
}

func TestCredentials_OfARoleAreAskedForThroughTheProxy(t *testing.T) {
	alone(t)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("token of the pod"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", token)
	t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/handout")
	t.Setenv("AWS_REGION", "eu-west-1")
	ca, proxy := proxytest.NewCA(t), proxytest.Start(t)
	proxy.Lead("sts.eu-west-1.amazonaws.com:443", ca.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>role</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>token</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
			time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}), "sts.eu-west-1.amazonaws.com"))
	route, err := outbound.NewRoute(proxy.URL(), "", ca.Pool)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := (Keys{}).Credentials(route).GetWithContext(nil); err != nil || v.AccessKeyID != "role" {
		t.Errorf("%+v, %v; the proxy was asked for %q", v, err, proxy.Asked())
	}
}
