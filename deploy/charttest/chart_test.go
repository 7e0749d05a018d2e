// Package charttest holds the chart in deploy/helm to what Kubernetes takes, and to what
// the programs read and serve. Helm's library and Kubernetes's types stand in this module
// of their own, since they are large.
package charttest

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

const (
	chartDir  = "../helm/handout"
	release   = "handout"
	namespace = "messages"
)

// secretKeys are what an operator's Secret has for the chart with its own Redis.
var secretKeys = map[string]string{
	"TELESIGN_API_KEY":    "YW4gQVBJIGtleSBmb3IgdGhlIHNpbXVsYXRvcg==",
	"REDIS_PASSWORD_WORK": "rehearse-work", "REDIS_PASSWORD_LISTEN": "rehearse-listen", "REDIS_PASSWORD_CONSOLE": "rehearse-console",
	"REDIS_PASSWORD_SCHEDULE": "rehearse-schedule", "REDIS_PASSWORD_CLI": "rehearse-cli",
	"REDIS_URL": "redis://elsewhere:6379", "REDIS_URL_WORK": "redis://work@elsewhere:6379",
	"key": "YW5vdGhlciBhY2NvdW50J3M=", // of the Secret "us", which a worker's extraEnv names
}

// keysOf are those of an installation: the secret of a login's provider without its other
// variables is refused.
func keysOf(values string) map[string]string {
	keys := maps.Clone(secretKeys)
	if strings.Contains(values, "HANDOUT_OIDC_ISSUER") {
		keys["HANDOUT_OIDC_CLIENT_SECRET"] = "rehearse-login"
	}
	return keys
}

// least is what an installation must say.
const least = `
config: {TELESIGN_CUSTOMER_ID: FFFFFFFF-EEEE-DDDD-1234-AB1234567890}
secret: {existing: handout}
`

// all turns on everything that can be.
const all = `
config:
  TELESIGN_CUSTOMER_ID: FFFFFFFF-EEEE-DDDD-1234-AB1234567890
  HANDOUT_OIDC_ISSUER: https://id.example.com
  HANDOUT_OIDC_CLIENT_ID: handout
  HANDOUT_OIDC_GROUPS: ops=read,control
secret: {existing: handout}
work:
  autoscaling: {enabled: true}
  extraEnv: [{name: US_KEY, valueFrom: {secretKeyRef: {name: us, key: key}}}]
  extraVolumes: [{name: accounts, configMap: {name: accounts}}]
  extraVolumeMounts: [{name: accounts, mountPath: /accounts, readOnly: true}]
listen:
  ingress: {enabled: true, host: receipts.example.com, className: public, tlsSecret: receipts, annotations: {limit: "100"}}
console:
  ingress: {enabled: true, host: ops.example.com, path: /handout/}
schedule:
  enabled: true
  replicas: 2
  files:
    schedules.yaml: |
      schedules:
        - {name: order-history, cron: "0 2 * * *", zone: Europe/Paris, campaign: campaign.yaml, list: "https://files.example.com/[[day]].csv"}
    campaign.yaml: |
      id: "[[id]]"
      message_type: MKT
      channels: [{channel: sms, template: text, parameters: {text: "Yours: {{.url}}"}}]
monitoring:
  serviceMonitor: {enabled: true, labels: {release: prometheus}}
  rules: {enabled: true, labels: {release: prometheus}}
  dashboard: {enabled: true}
image: {digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", pullSecrets: [{name: registry}]}
serviceAccount: {annotations: {role: reads-lists}}
nodeSelector: {disk: fast}
tolerations: [{key: messages, operator: Exists}]
affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Exists}]}]}}}
networkPolicy: {publicFrom: [{namespaceSelector: {matchLabels: {name: ingress}}}], listenTo: [{ports: [{port: 4318}], to: [{namespaceSelector: {}}]}]}
redis: {persistence: {storageClass: fast}}
`

// installations are values that the chart takes.
var installations = map[string]string{
	"least": least,
	"all":   all,
	"a Redis elsewhere": least + `
redis: {enabled: false, urlKeys: {work: REDIS_URL_WORK}}
networkPolicy: {enabled: false}
`,
	"a Secret of the chart's own": `
config: {TELESIGN_CUSTOMER_ID: A, HANDOUT_RATE: 2.5, HANDOUT_POLL: false, HANDOUT_SEND_TIMEOUT: 90s, HANDOUT_PREFIX: shop-a, HANDOUT_WEBHOOK_BACKLOG: 20000000}
secret: {values: {TELESIGN_API_KEY: a2V5, REDIS_URL: "redis://r:6379"}}
redis: {enabled: false}
`,
	"an ExternalSecret": `
config: {HANDOUT_ACCOUNTS: /accounts/accounts.yaml}
secret: {external: {key: messages/handout, store: {name: vault}}}
schedule: {enabled: true, existingConfigMap: mine}
serviceAccount: {existing: mine}
`,
}

// Small, of external-secrets.io/v1: its module has a whole operator.
type externalSecret struct {
	APIVersion, Kind string
	Metadata         struct {
		Name, Namespace string
		Labels          map[string]string
	}
	Spec struct {
		RefreshInterval string
		SecretStoreRef  struct{ Kind, Name string }
		Target          struct{ Name string }
		DataFrom        []struct{ Extract struct{ Key string } }
	}
}

// kinds are the types of what the chart may make.
var kinds = map[string]func() any{
	"v1/ConfigMap":                            func() any { return new(core.ConfigMap) },
	"v1/Secret":                               func() any { return new(core.Secret) },
	"v1/Service":                              func() any { return new(core.Service) },
	"v1/ServiceAccount":                       func() any { return new(core.ServiceAccount) },
	"apps/v1/Deployment":                      func() any { return new(apps.Deployment) },
	"apps/v1/StatefulSet":                     func() any { return new(apps.StatefulSet) },
	"autoscaling/v2/HorizontalPodAutoscaler":  func() any { return new(autoscaling.HorizontalPodAutoscaler) },
	"networking.k8s.io/v1/Ingress":            func() any { return new(networking.Ingress) },
	"networking.k8s.io/v1/NetworkPolicy":      func() any { return new(networking.NetworkPolicy) },
	"policy/v1/PodDisruptionBudget":           func() any { return new(policy.PodDisruptionBudget) },
	"monitoring.coreos.com/v1/ServiceMonitor": func() any { return new(monitoring.ServiceMonitor) },
	"monitoring.coreos.com/v1/PrometheusRule": func() any { return new(monitoring.PrometheusRule) },
	"external-secrets.io/v1/ExternalSecret":   func() any { return new(externalSecret) },
}

// objects are what a chart makes, by kind/name.
type objects map[string]any

// get returns the object of this type and name.
func get[T any](t *testing.T, all objects, kind, name string) *T {
	t.Helper()
	o, ok := all[kind+"/"+name].(*T)
	if !ok {
		t.Fatalf("there is no %s %s, only %v", kind, name, slices.Sorted(maps.Keys(all)))
	}
	return o
}

func parse(t *testing.T, values string) map[string]any {
	t.Helper()
	v := make(map[string]any)
	if err := yaml.UnmarshalStrict([]byte(values), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// templates are the chart's files as rendered: the schema is asked first, as by helm
// install.
func templates(dir string, values map[string]any) (map[string]string, error) {
	chart, err := loader.Load(dir)
	if err != nil {
		return nil, err
	}
	v, err := chartutil.ToRenderValues(chart, values, chartutil.ReleaseOptions{Name: release, Namespace: namespace, IsInstall: true}, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.Render(chart, v)
}

// render is what the chart makes of the values.
func render(t *testing.T, values map[string]any) objects {
	t.Helper()
	all, err := decode(chartDir, values)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// decode reads everything that the chart makes of the values into the types of kinds: a
// field that they don't have is an error.
func decode(dir string, values map[string]any) (objects, error) {
	files, err := templates(dir, values)
	if err != nil {
		return nil, err
	}
	found := make(objects)
	var faults []error
	for path, text := range files {
		if filepath.Base(path) == "NOTES.txt" {
			continue
		}
		for document := range strings.SplitSeq("\n"+text, "\n---") {
			if strings.TrimSpace(document) == "" {
				continue
			}
			id, object, err := decodeOne(document)
			switch {
			case err != nil:
				err = fmt.Errorf("%s: %w\n%s", path, err, document)
			case found[id] != nil:
				err = fmt.Errorf("%s: %s is made twice", path, id)
			}
			faults = append(faults, err)
			found[id] = object
		}
	}
	return found, errors.Join(faults...)
}

func decodeOne(document string) (id string, object any, err error) {
	var head struct {
		APIVersion, Kind string
		Metadata         struct{ Name, Namespace string }
	}
	if err := yaml.Unmarshal([]byte(document), &head); err != nil {
		return "", nil, err
	}
	typed, ok := kinds[head.APIVersion+"/"+head.Kind]
	if !ok {
		return "", nil, fmt.Errorf("a %s of %s", head.Kind, head.APIVersion)
	}
	if head.Metadata.Namespace != namespace {
		return "", nil, fmt.Errorf("the namespace %q", head.Metadata.Namespace)
	}
	object = typed()
	return head.Kind + "/" + head.Metadata.Name, object, yaml.UnmarshalStrict([]byte(document), object)
}

func TestChart_IsWhatKubernetesTakes(t *testing.T) {
	t.Parallel()
	for name, values := range installations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := render(t, parse(t, values))
			if len(all) < 10 {
				t.Errorf("it makes %v", slices.Sorted(maps.Keys(all)))
			}
			for id, object := range all {
				if d, ok := object.(*apps.Deployment); ok {
					checkPod(t, id, all, &d.Spec.Template, d.Spec.Selector.MatchLabels)
				}
				if s, ok := object.(*apps.StatefulSet); ok {
					checkPod(t, id, all, &s.Spec.Template, s.Spec.Selector.MatchLabels)
				}
			}
			checkSelectors(t, all)
		})
	}
}

func TestChart_IsWhatHelmRecommends(t *testing.T) {
	t.Parallel()
	for name, values := range installations {
		for _, m := range lint.All(chartDir, parse(t, values), namespace, true).Messages {
			if m.Severity >= support.WarningSev {
				t.Errorf("%s: %s: %v", name, m.Path, m.Err)
			}
		}
	}
}

// A packed chart is what a registry has.
func TestChart_PackedMakesTheSame(t *testing.T) {
	t.Parallel()
	chart, err := loader.Load(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	packed, err := chartutil.Save(chart, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	want, err := templates(chartDir, parse(t, all))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := templates(packed, parse(t, all)); err != nil || !maps.Equal(got, want) {
		t.Errorf("packed it makes something else (%v)", err)
	}
}

func TestChart_StartsAsManyAsItIsTold(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]*int32{
		least:                         new(int32(2)),
		least + "work: {replicas: 0}": new(int32(0)),
		least + "work: {replicas: 3}": new(int32(3)),
		least + "work: {autoscaling: {enabled: true}}": nil, // the autoscaler says so
	} {
		d := get[apps.Deployment](t, render(t, parse(t, values)), "Deployment", "handout-work")
		if got := d.Spec.Replicas; (got == nil) != (want == nil) || got != nil && *got != *want {
			t.Errorf("%s: %v workers, want %v", values, got, want)
		}
	}
}

// checkPod holds what every pod has: no rights, a bound in memory, and what it mounts.
func checkPod(t *testing.T, id string, all objects, pod *core.PodTemplateSpec, selector map[string]string) {
	t.Helper()
	spec := &pod.Spec
	for k, v := range selector {
		if pod.Labels[k] != v {
			t.Errorf("%s selects %s=%s, which its pods haven't", id, k, v)
		}
	}
	if spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken {
		t.Errorf("%s mounts a token", id)
	}
	if s := spec.SecurityContext; s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.SeccompProfile == nil || s.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault {
		t.Errorf("%s: pod's security context %v", id, s)
	}
	volumes := make(map[string]bool)
	for _, v := range spec.Volumes {
		volumes[v.Name] = true
	}
	for _, c := range spec.Containers {
		s := c.SecurityContext
		if s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation ||
			s.Capabilities == nil || !slices.Equal(s.Capabilities.Drop, []core.Capability{"ALL"}) || len(s.Capabilities.Add) > 0 {
			t.Errorf("%s: container's security context %v", id, s)
		}
		if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() {
			t.Errorf("%s: resources %v", id, c.Resources)
		}
		if c.ReadinessProbe == nil || c.LivenessProbe == nil {
			t.Errorf("%s has no probes", id)
		}
		for _, m := range c.VolumeMounts {
			if !volumes[m.Name] && !strings.HasPrefix(id, "StatefulSet/") {
				t.Errorf("%s mounts %s, which it hasn't", id, m.Name)
			}
		}
		for _, e := range c.Env {
			if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil && len(all) > 0 {
				continue
			}
			for secret := range secretKeys {
				if e.Name == secret && e.Name != "REDIS_URL" {
					t.Errorf("%s has %s in clear", id, e.Name)
				}
			}
		}
	}
}

// checkSelectors holds that what selects pods selects some, and names ports that they have.
func checkSelectors(t *testing.T, all objects) {
	t.Helper()
	ports := func(id string, selector map[string]string) map[string]bool {
		found := make(map[string]bool)
		pods := 0
		for _, object := range all {
			var pod *core.PodTemplateSpec
			switch o := object.(type) {
			case *apps.Deployment:
				pod = &o.Spec.Template
			case *apps.StatefulSet:
				pod = &o.Spec.Template
			default:
				continue
			}
			matches := true
			for k, v := range selector {
				matches = matches && pod.Labels[k] == v
			}
			if matches {
				pods++
				for _, p := range pod.Spec.Containers[0].Ports {
					found[p.Name] = true
				}
			}
		}
		if pods == 0 {
			t.Errorf("%s selects no pods", id)
		}
		return found
	}
	for id, object := range all {
		switch o := object.(type) {
		case *core.Service:
			there := ports(id, o.Spec.Selector)
			for _, p := range o.Spec.Ports {
				if !there[p.TargetPort.StrVal] {
					t.Errorf("%s leads to port %s, which its pods haven't", id, p.TargetPort.StrVal)
				}
			}
		case *policy.PodDisruptionBudget:
			ports(id, o.Spec.Selector.MatchLabels)
		case *networking.NetworkPolicy:
			there := ports(id, o.Spec.PodSelector.MatchLabels)
			for _, rule := range o.Spec.Ingress {
				for _, p := range rule.Ports {
					if !there[p.Port.StrVal] {
						t.Errorf("%s lets port %s in, which its pods haven't", id, p.Port.StrVal)
					}
				}
			}
			for _, rule := range o.Spec.Egress {
				for _, peer := range rule.To {
					if peer.PodSelector != nil {
						ports(id, peer.PodSelector.MatchLabels)
					}
				}
			}
		case *autoscaling.HorizontalPodAutoscaler:
			get[apps.Deployment](t, all, o.Spec.ScaleTargetRef.Kind, o.Spec.ScaleTargetRef.Name)
		case *networking.Ingress:
			backend := o.Spec.Rules[0].HTTP.Paths[0].Backend.Service
			service := get[core.Service](t, all, "Service", backend.Name)
			if !slices.ContainsFunc(service.Spec.Ports, func(p core.ServicePort) bool { return p.Name == backend.Port.Name }) {
				t.Errorf("%s leads to port %s of %s", id, backend.Port.Name, backend.Name)
			}
			if len(o.Spec.TLS) != 1 || o.Spec.TLS[0].Hosts[0] != o.Spec.Rules[0].Host {
				t.Errorf("%s: TLS %v", id, o.Spec.TLS)
			}
		}
	}
}
