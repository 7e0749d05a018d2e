package charttest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/strvals"
	apps "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"
)

// state is what the stand-ins for helm and kubectl know of a cluster.
type state struct {
	Namespaces []string
	Secrets    map[string][]string // keys by name
	Values     map[string]any      // of the release
	Calls      []string
}

// TestPage_InstallsByItsCommands runs the page's blocks in a shell, in their order. There is
// no cluster: the stand-ins hold that the flags are ones that there are, that the values
// pass the chart, that the Secret has the keys that its pods want, and that what is named
// is there. A command of handout's in a pod is asked for its help, with its flags.
func TestPage_InstallsByItsCommands(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	script := "set -eu\n"
	for _, block := range regexp.MustCompile("(?ms)^```sh kubernetes\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		script += block[1]
	}
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	deploy, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"bin/helm": self, "bin/kubectl": self, "deploy": deploy} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"), "TELESIGN_API_KEY=a2V5",
		"CHARTTEST_STATE="+filepath.Join(dir, "state.json"), "CHARTTEST_HANDOUT="+program(t))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s, err := readState(filepath.Join(dir, "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "handout-secret.env")); !errors.Is(err, os.ErrNotExist) {
		t.Error("the file with the secrets is left")
	}
	for _, want := range []string{"helm upgrade --install", "helm uninstall", "/handout doctor", "rollout status"} {
		if !slices.ContainsFunc(s.Calls, func(call string) bool { return strings.Contains(call, want) }) {
			t.Errorf("the page doesn't %s, but\n%s", want, strings.Join(s.Calls, "\n"))
		}
	}
}

func readState(path string) (*state, error) {
	s := &state{Secrets: make(map[string][]string)}
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	return s, json.Unmarshal(text, s)
}

// standIn is what this program is when it is called as helm or kubectl.
func standIn(name string, args []string) error {
	path := os.Getenv("CHARTTEST_STATE")
	s, err := readState(path)
	if err != nil {
		return err
	}
	s.Calls = append(s.Calls, name+" "+strings.Join(args, " "))
	words, flags, rest, err := read(args)
	if err == nil {
		if name == "helm" {
			err = s.helm(words, flags)
		} else {
			err = s.kubectl(words, flags, rest)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.Calls[len(s.Calls)-1], err)
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// known are the flags, of helm and of kubectl, that the page uses, and whether they have a
// value.
var known = map[string]bool{
	"--namespace": true, "--values": true, "--set-string": true, "--timeout": true, "--selector": true, "--replicas": true,
	"--for": true, "--from-env-file": true, "--wait": false, "--install": false,
}

func read(args []string) (words []string, flags map[string]string, rest []string, err error) {
	flags = make(map[string]string)
	for i := 0; i < len(args); i++ {
		if args[i] == "--" {
			return words, flags, args[i+1:], nil
		}
		name, value, ok := strings.Cut(args[i], "=")
		if !strings.HasPrefix(name, "-") {
			words = append(words, args[i])
			continue
		}
		valued, there := known[name]
		switch {
		case !there:
			return nil, nil, nil, fmt.Errorf("the flag %s", name)
		case valued && !ok && i+1 < len(args):
			i++
			value = args[i]
		}
		flags[name] = value
	}
	return words, flags, nil, nil
}

func (s *state) helm(words []string, flags map[string]string) error {
	if flags["--namespace"] != namespace || !slices.Contains(s.Namespaces, namespace) {
		return fmt.Errorf("the namespace %q", flags["--namespace"])
	}
	switch {
	case len(words) == 3 && words[0] == "upgrade" && words[1] == release && words[2] == "deploy/helm/handout":
		_, install := flags["--install"]
		if !install && s.Values == nil {
			return errors.New("there is nothing to upgrade")
		}
		text, err := os.ReadFile(flags["--values"])
		if err != nil {
			return err
		}
		values := make(map[string]any)
		if err := yaml.UnmarshalStrict(text, &values); err != nil {
			return err
		}
		s.Values = values
		if err := strvals.ParseIntoString(flags["--set-string"], values); err != nil {
			return err
		}
		return s.check()
	case len(words) == 2 && words[0] == "uninstall" && words[1] == release && s.Values != nil:
		s.Values = nil
		return nil
	}
	return errors.New("it is something else than an upgrade or uninstall")
}

// objects are what stands in the cluster.
func (s *state) objects() (objects, error) {
	if s.Values == nil {
		return nil, errors.New("nothing is installed")
	}
	return decode("deploy/helm/handout", s.Values)
}

// check holds that the pods find the keys that they want in the Secret.
func (s *state) check() error {
	all, err := s.objects()
	for id, object := range all {
		d, ok := object.(*apps.Deployment)
		if !ok {
			continue
		}
		for _, e := range d.Spec.Template.Spec.Containers[0].Env {
			if e.ValueFrom == nil || e.ValueFrom.SecretKeyRef == nil {
				continue
			}
			ref := e.ValueFrom.SecretKeyRef
			if optional := ref.Optional != nil && *ref.Optional; !optional && !slices.Contains(s.Secrets[ref.Name], ref.Key) {
				err = errors.Join(err, fmt.Errorf("%s wants the key %s of the Secret %s, which has %q", id, ref.Key, ref.Name, s.Secrets[ref.Name]))
			}
		}
	}
	return err
}

func (s *state) kubectl(words []string, flags map[string]string, command []string) error {
	if len(words) == 3 && words[0] == "create" && words[1] == "namespace" {
		s.Namespaces = append(s.Namespaces, words[2])
		return nil
	}
	if flags["--namespace"] != namespace || !slices.Contains(s.Namespaces, namespace) {
		return fmt.Errorf("the namespace %q", flags["--namespace"])
	}
	if len(words) == 4 && words[0] == "create" && words[1] == "secret" && words[2] == "generic" {
		text, err := os.ReadFile(flags["--from-env-file"])
		for line := range strings.Lines(string(text)) {
			if key, value, _ := strings.Cut(strings.TrimSpace(line), "="); value != "" {
				s.Secrets[words[3]] = append(s.Secrets[words[3]], key)
			}
		}
		return err
	}
	all, err := s.objects()
	if err != nil {
		return err
	}
	if selector := flags["--selector"]; selector != "" {
		return selects(all, selector)
	}
	at := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "deployment/") })
	if at < 0 {
		return errors.New("it names no deployment")
	}
	d, ok := all["Deployment/"+strings.TrimPrefix(words[at], "deployment/")].(*apps.Deployment)
	if !ok {
		return fmt.Errorf("there is no %s, only %q", words[at], slices.Sorted(maps.Keys(all)))
	}
	container := d.Spec.Template.Spec.Containers[0].Name
	switch strings.Join(slices.Delete(slices.Clone(words), at, len(words)), " ") {
	case "rollout status":
		return nil
	case "set image":
		if name, image, _ := strings.Cut(words[at+1], "="); name != container || !strings.Contains(image, ":") {
			return fmt.Errorf("its container is %s", container)
		}
		return nil
	case "exec":
		if len(command) < 2 || command[0] != "/handout" {
			return fmt.Errorf("the image has no %q", command)
		}
		out, err := exec.Command(os.Getenv("CHARTTEST_HANDOUT"), append(command[1:], "--help")...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "handout "+command[1]) {
			return fmt.Errorf("%w\n%s", err, out)
		}
		return nil
	}
	return errors.New("it is something else than is known here")
}

// selects holds that a selector finds a deployment.
func selects(all objects, selector string) error {
	for _, object := range all {
		d, ok := object.(*apps.Deployment)
		if !ok {
			continue
		}
		matches := true
		for part := range strings.SplitSeq(selector, ",") {
			key, value, not := strings.Cut(part, "!=")
			if !not {
				key, value, _ = strings.Cut(part, "=")
			}
			matches = matches && (d.Spec.Template.Labels[key] == value) != not && (d.Labels[key] == value) != not
		}
		if matches {
			return nil
		}
	}
	return fmt.Errorf("%s selects nothing", selector)
}
