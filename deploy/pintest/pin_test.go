// Package pintest holds deploy/pin-images.sh to a registry of its own, on loopback. The
// registry and what fills it are of github.com/google/go-containerregistry, which stands
// in this module of its own, since the programs don't need it.
package pintest

import (
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// bases are the images that the project's files name, and where a mirror has them.
var bases = map[string]string{
	"docker/dockerfile:1":                       "docker/dockerfile:1",
	"golang:1.26-bookworm":                      "library/golang:1.26-bookworm",
	"gcr.io/distroless/static-debian12:nonroot": "distroless/static-debian12:nonroot",
	"redis:7.4-bookworm":                        "library/redis:7.4-bookworm",
}

// mirror is a registry that, as Docker Hub, takes a token that it gives to anyone.
type mirror struct {
	t    *testing.T
	host string
}

func serve(t *testing.T) mirror {
	t.Helper()
	images := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/token":
			fmt.Fprint(w, `{"token": "anyone"}`)
		case r.Header.Get("Authorization") == "Bearer anyone":
			images.ServeHTTP(w, r)
		default:
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="mirror"`, r.Host))
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(server.Close)
	return mirror{t, server.Listener.Addr().String()}
}

// push puts an image of two platforms into the registry, and returns its digest.
func (m mirror) push(path string) string {
	m.t.Helper()
	index := v1.ImageIndex(empty.Index)
	for _, arch := range []string{"amd64", "arm64"} {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: m.image(), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
	}
	m.must(remote.WriteIndex(m.reference(path), index))
	digest, err := index.Digest()
	m.must(err)
	return digest.String()
}

// pushOne puts an image of one platform into the registry, and returns its digest.
func (m mirror) pushOne(path string) string {
	m.t.Helper()
	image := m.image()
	m.must(remote.Write(m.reference(path), image))
	digest, err := image.Digest()
	m.must(err)
	return digest.String()
}

func (m mirror) image() v1.Image {
	m.t.Helper()
	image, err := random.Image(64, 1)
	m.must(err)
	return image
}

func (m mirror) reference(path string) name.Reference {
	m.t.Helper()
	reference, err := name.ParseReference(m.host + "/" + path)
	m.must(err)
	return reference
}

func (m mirror) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// pushBases returns the digest of each base.
func (m mirror) pushBases() map[string]string {
	m.t.Helper()
	digests := make(map[string]string)
	for image, path := range bases {
		digests[image] = m.push(path)
	}
	return digests
}

// project is a folder with the script, and files for it.
type project struct {
	t   *testing.T
	dir string
}

func newProject(t *testing.T, files map[string]string) project {
	t.Helper()
	p := project{t, t.TempDir()}
	script, err := os.ReadFile("../pin-images.sh")
	if err != nil {
		t.Fatal(err)
	}
	p.write("deploy/pin-images.sh", string(script))
	for path, text := range files {
		p.write(path, text)
	}
	return p
}

var digest = regexp.MustCompile(`@sha256:[0-9a-f]{64}`)

// noImages end the names of files that speak of images, or seem to, and aren't read by
// what pulls them.
var noImages = []string{".go", ".js", ".json", ".lua", ".md", ".png", ".sql", ".sum"}

// files are those of the repository that may name images, without digests.
func files(t *testing.T) map[string]string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "git", "ls-files", "--cached", "--others", "--exclude-standard")
	list.Dir = "../.."
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, path := range strings.Fields(string(out)) {
		if slices.Contains(noImages, filepath.Ext(path)) || strings.Contains(path, "testdata/") || path == "deploy/pin-images.sh" {
			continue
		}
		text, err := os.ReadFile(filepath.Join("../..", path))
		if err != nil {
			t.Fatal(err)
		}
		all[path] = digest.ReplaceAllString(string(text), "")
	}
	return all
}

func (p project) write(path, text string) {
	p.t.Helper()
	path = filepath.Join(p.dir, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		p.t.Fatal(err)
	}
}

func (p project) read(path string) string {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, path))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

// run returns what a command in the folder says, and whether it succeeds.
func (p project) run(registry string, command ...string) (string, bool) {
	p.t.Helper()
	c := exec.CommandContext(p.t.Context(), command[0], command[1:]...)
	c.Dir = p.dir
	c.Env = append(os.Environ(), "REGISTRY_MIRROR="+registry, "DOCKER_CONFIG="+p.t.TempDir()) // without a developer's logins
	out, err := c.CombinedOutput()
	return string(out), err == nil
}

func (p project) pin(registry string) string {
	p.t.Helper()
	out, ok := p.run(registry, "sh", "deploy/pin-images.sh")
	if !ok {
		p.t.Fatalf("pin-images: %s", out)
	}
	return out
}

// refused returns what the script says when it fails in a mode.
func (p project) refused(registry, mode string) string {
	p.t.Helper()
	out, ok := p.run(registry, "sh", "deploy/pin-images.sh", mode)
	if ok {
		p.t.Fatalf("pin-images %s succeeds: %s", mode, out)
	}
	return out
}

// is holds the folder to files, and to nothing beside them but the script.
func (p project) is(want map[string]string) {
	p.t.Helper()
	got := make(map[string]string)
	err := filepath.WalkDir(p.dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() == "pin-images.sh" {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm() != 0o640 {
			p.t.Errorf("%s has mode %o, want 640", path, info.Mode().Perm())
		}
		path, err = filepath.Rel(p.dir, path)
		got[filepath.ToSlash(path)] = p.read(path)
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	for path := range maps.Keys(want) {
		if got[path] != want[path] {
			p.t.Errorf("%s is\n%s\nwant\n%s", path, got[path], want[path])
		}
	}
	if len(got) != len(want) {
		p.t.Errorf("the folder has %q", slices.Sorted(maps.Keys(got)))
	}
}

// pinned are the files with each base pinned to its digest.
func pinned(files, digests map[string]string) map[string]string {
	all := make(map[string]string)
	for path, text := range files {
		for image, digest := range digests {
			text = strings.ReplaceAll(text, image, image+"@"+digest)
		}
		all[path] = text
	}
	return all
}

func TestPin_PinsTheImagesOfTheRepository(t *testing.T) {
	t.Parallel()
	registry, files := serve(t), files(t)
	digests := registry.pushBases()
	p := newProject(t, files)
	out := p.pin(registry.host)
	p.is(pinned(files, digests))
	for image, digest := range digests {
		if want := image + " unpinned -> " + digest; !strings.Contains(out, want) {
			t.Errorf("%q isn't said: %s", want, out)
		}
	}
	if out, ok := p.run(registry.host, "sh", "deploy/pin-images.sh", "check"); !ok {
		t.Errorf("what is pinned now isn't good: %s", out)
	}
}

// mayName is what names an image, or seems to.
var mayName = regexp.MustCompile(`(?im)^[ \t]*from[ \t].*|^.*[ \t-]-?from=[a-z].*|^#[ \t]*syntax.*|^(.*[ \t{,"'-])?image["']?[ \t]*:.*`)

// unpinned are the lines of the repository that name our own image, or a stage.
var unpinned = []string{
	"Makefile: image: ## build the image, in Docker alone; IMAGE=handout:next names it",
	"deploy/Dockerfile: COPY --from=build /out/handout /handout",
	"deploy/Dockerfile: COPY --from=build /out/orderhistory /orderhistory",
	`deploy/helm/handout/templates/_process.tpl: image: {{ include "handout.image" $root | quote }}`,
	"deploy/helm/handout/templates/redis.yaml: image: {{ .Values.redis.image | quote }}",
	"deploy/helm/handout/values.yaml: image:",
	"docker-compose.yml: image: ${IMAGE:-handout}",
}

// What names an image in a way, or in a file, that the script doesn't know stays unpinned.
func TestPin_LeavesNoImageOfTheRepositoryUnpinned(t *testing.T) {
	t.Parallel()
	registry, files := serve(t), files(t)
	registry.pushBases()
	p := newProject(t, files)
	p.pin(registry.host)
	var got []string
	for path := range files {
		for _, line := range mayName.FindAllString(p.read(path), -1) {
			if !digest.MatchString(line) {
				got = append(got, path+": "+strings.TrimSpace(line))
			}
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, unpinned) {
		t.Errorf("unpinned are\n%s\nwant\n%s\nhas the script to find it, or is it our own?", strings.Join(got, "\n"), strings.Join(unpinned, "\n"))
	}
}

func TestPin_RefreshesAnOldDigest(t *testing.T) {
	t.Parallel()
	registry, files := serve(t), files(t)
	digests := registry.pushBases()
	p := newProject(t, files)
	p.pin(registry.host)
	was := digests["redis:7.4-bookworm"]
	digests["redis:7.4-bookworm"] = registry.pushOne(bases["redis:7.4-bookworm"])
	moved := "redis:7.4-bookworm " + was + " -> " + digests["redis:7.4-bookworm"]

	before := maps.Clone(digests)
	before["redis:7.4-bookworm"] = was
	if out := p.refused(registry.host, "check"); !strings.Contains(out, moved) || !strings.Contains(out, "run make pin-images") {
		t.Errorf("the check doesn't say %q, and what to do: %s", moved, out)
	}
	p.is(pinned(files, before))

	if out := p.pin(registry.host); !strings.Contains(out, "docker-compose.yml:98: "+moved) {
		t.Errorf("%q isn't said: %s", moved, out)
	}
	p.is(pinned(files, digests))
}

func TestPin_CheckNamesWhatIsUnpinned(t *testing.T) {
	t.Parallel()
	registry, files := serve(t), files(t)
	registry.pushBases()
	p := newProject(t, files)
	out := p.refused(registry.host, "check")
	for image := range bases {
		if !strings.Contains(out, image+" unpinned") {
			t.Errorf("%s isn't named: %s", image, out)
		}
	}
	p.is(files)
}

func TestPin_AMissingImageLeavesAllFilesWhole(t *testing.T) {
	t.Parallel()
	registry, files := serve(t), files(t)
	for image, path := range bases {
		if image != "redis:7.4-bookworm" {
			registry.push(path)
		}
	}
	registry.push("library/redis:8")
	p := newProject(t, files)
	out := p.refused(registry.host, "pin")
	if !strings.Contains(out, "redis:7.4-bookworm: ") || !strings.Contains(out, "MANIFEST_UNKNOWN") || strings.Contains(out, "golang") {
		t.Errorf("the missing image, and the registry's reason, aren't named alone: %s", out)
	}
	p.is(files)
}

func TestPin_AnUnreachableRegistrySaysWhatToDo(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(nil)
	closed.Close()
	files := files(t)
	p := newProject(t, files)
	for _, mode := range []string{"pin", "check"} {
		out := p.refused(closed.Listener.Addr().String(), mode)
		for _, want := range []string{"redis:7.4-bookworm: ", "connection refused", "Nothing was changed", "REGISTRY_MIRROR", "docker login"} {
			if !strings.Contains(out, want) {
				t.Errorf("%s doesn't say %q: %s", mode, want, out)
			}
		}
	}
	p.is(files)
}

func TestPin_FindsEachWayToNameAnImage(t *testing.T) {
	t.Parallel()
	registry := serve(t)
	host := registry.host
	one, two := registry.push("team/one:1.0"), registry.pushOne("team/two:v2")
	files := map[string]string{
		"deploy/Dockerfile.more": `#syntax = HOST/team/one:1.0
FROM scratch AS empty
from --platform=$BUILDPLATFORM HOST/team/one:1.0 as Build
FROM build AS built
COPY --from=build --chown=1:1 /a /b
COPY --chown=1:1 --from=HOST/team/two:v2 /a /b
COPY --from=0 /a /b
RUN --mount=type=cache,target=/c \
    --mount=type=bind,from=HOST/team/one:1.0,target=/d \
    tool --from=nothing
`,
		"more/.hidden/services.yaml": `a: {image: HOST/team/one:1.0, scale: 1}
b:
  image: "HOST/team/two:v2" # HOST/team/two:v2 was tried
  # image: HOST/team/three:3
c:
  - image: 'HOST/team/one:1.0'
  - {note: HOST/team/one:1x0, image: HOST/team/one:1.0}
  - image: ${IMAGE:-handout} # ours
  - image: ghcr.io/handout-dev/handout:0.1.0
  - image: {repository: ours, tag: "1"}
  - image: # ours, too
      repository: ours
  - image: {{ .Values.redis.image | quote }}
  - image: "{{ .Values.redis.image }}"
`,
		"more/notes.md":          "image: HOST/team/one:1.0\n",
		"bin/dist/Dockerfile":    "FROM HOST/team/one:1.0\n",
		"bin/image/compose.yaml": "image: HOST/team/one:1.0\n",
	}
	for path, text := range files {
		files[path] = strings.ReplaceAll(text, "HOST", host)
	}
	p := newProject(t, files)
	p.pin("") // each image's own registry
	want := maps.Clone(files)
	for _, path := range []string{"deploy/Dockerfile.more", "more/.hidden/services.yaml"} {
		text := strings.ReplaceAll(files[path], host+"/team/one:1.0", host+"/team/one:1.0@"+one)
		text = strings.ReplaceAll(text, host+"/team/two:v2", host+"/team/two:v2@"+two)
		want[path] = strings.Replace(text, "# "+host+"/team/two:v2@"+two, "# "+host+"/team/two:v2", 1)
	}
	p.is(want)
}

func TestPin_RefusesAnImageThatItCannotPin(t *testing.T) {
	t.Parallel()
	for file, text := range map[string]string{
		"Dockerfile":         "ARG BASE=debian:13\nFROM ${BASE}\n",
		"Dockerfile.next":    "FROM debian\n",
		"docker-compose.yml": "image: ${DATABASE:-postgres:17}\n",
		"values.yaml":        "image: postgres@sha256:" + strings.Repeat("0", 64) + "\n",
	} {
		p := newProject(t, map[string]string{file: text, "a/Dockerfile": "FROM debian:13@sha256:" + strings.Repeat("0", 64) + "\n"})
		for _, mode := range []string{"pin", "check", "pinned"} {
			if out := p.refused("", mode); !strings.HasPrefix(out, file+":") || !strings.Contains(out, "names no tag") || strings.Contains(out, "a/Dockerfile") {
				t.Errorf("%s: %s doesn't name it, and why: %s", file, mode, out)
			}
		}
	}
}

func TestRelease_IsRefusedWithoutPins(t *testing.T) {
	t.Parallel()
	registry, files := serve(t), files(t)
	registry.pushBases()
	p := newProject(t, files)
	out, ok := p.run("", "make", "release")
	if ok || !strings.Contains(out, "docker-compose.yml:98: redis:7.4-bookworm is unpinned") || !strings.Contains(out, "make pin-images") || strings.Contains(out, "git describe") {
		t.Errorf("make release doesn't end with what is unpinned, and what to do: %s", out)
	}
	p.pin(registry.host)
	if out, _ := p.run("", "make", "release"); !strings.Contains(out, "git describe") { // there is no tag in the folder
		t.Errorf("make release doesn't go on when all is pinned: %s", out)
	}
}
