.DEFAULT_GOAL := help

# The binaries need nothing of the machine that they run on, and say the same of
# their source wherever they were built. vet, staticcheck and the tests that run
# without the race detector use the same flags, so that each package is compiled
# once for all of them: with others, it takes two minutes more.
export CGO_ENABLED := 0
export GOFLAGS := $(GOFLAGS) -trimpath

# Pinned: a new check must not turn an old commit red.
STATICCHECK := go run honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := go run golang.org/x/vuln/cmd/govulncheck@v1.1.4
CYCLONEDX := go run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.9.0

# Rooms that start goroutines of their own, those of worker first, which takes longest.
# The race detector sees nothing in rooms without, nor in programs that tests drive from
# outside, and to compile for it what only they import (SQLite, PostgreSQL) takes a
# minute. make race WITH_RACE=./... tests all of them with it.
WITH_RACE := ./worker ./internal/web/api ./internal/webhook ./ledger ./producer ./internal/schedule \
	./internal/queue ./internal/redisx ./internal/installation ./internal/report ./internal/pacing ./internal/batch ./internal/metrics \
	./internal/backup ./internal/operations

# Per package; the slowest takes a third of it on two cores.
TEST_TIMEOUT := 15m

# What they drive, built once for all of them.
export TEST_PROGRAMS := $(CURDIR)/bin

# Docker Compose with the real account's .env where there is one, else with the
# simulator.
COMPOSE := sh deploy/compose.sh $(if $(wildcard .env),,--env-file deploy/simulate.env --profile simulate)

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/handout and bin/orderhistory, static binaries
	go build -o bin/ ./cmd/...

.PHONY: lint
lint: ## check the form: gofmt, vet, staticcheck
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not formatted, run make fmt:" $$unformatted >&2; exit 1; }
	go vet ./...
	go vet -tags compose ./test/compose
	cd deploy/alertstest && go vet .
	cd deploy/releasetest && go vet .
	cd deploy/pintest && go vet .
	$(STATICCHECK) ./...

.PHONY: govulncheck
govulncheck: ## look for known vulnerabilities in what the programs call; needs the network
	$(GOVULNCHECK) ./...

.PHONY: sbom
sbom: image-programs ## write bin/image/handout.cdx.json and orderhistory.cdx.json, what the image's programs are made of; needs the network
	for name in handout orderhistory; do \
		$(CYCLONEDX) bin -json -version "$(VERSION)" -output bin/image/$$name.cdx.json bin/image/$$name || exit 1; done

# Tests mostly wait, for slots, deadlines and processes: so many packages run at once,
# those first that take longest. Those that kill everything run by themselves.
.PHONY: test
test: redis postgres s3 chromium build ## run all tests but those of make chaos-short
	go test -vet=off -ldflags '-s -w' -p 3 -parallel 6 -timeout $(TEST_TIMEOUT) $$(go list ./test/process ./test/operating ./worker ./... | grep -v /test/chaos)

.PHONY: race
race: redis postgres s3 build ## run the tests of rooms with goroutines under the race detector
	CGO_ENABLED=1 go test -race -vet=off -p 4 -timeout $(TEST_TIMEOUT) $(WITH_RACE)

# What they test lies outside their modules: no cache sees it change.
.PHONY: alerts-test
alerts-test: ## hold the alerts, the dashboard and the chart's copies to what the programs say; compiles Prometheus
	cd deploy/alertstest && go test -vet=off -count 1 .

.PHONY: chart-test
chart-test: redis build ## render deploy/helm/handout, hold it to Kubernetes's types, and start the programs as it does; compiles Helm
	cd deploy/charttest && go vet . && go test -count 1 .

.PHONY: chart-files
chart-files: ## copy into deploy/helm/handout the files of deploy that it brings along
	cp deploy/alerts.yml deploy/redis.conf deploy/redis.acl deploy/redis-start.sh deploy/grafana/handout.json deploy/helm/handout/files/

.PHONY: demo
demo: build ## send to 1,000 recipients through the simulator, and show how each got the file
	bin/handout demo --recipients 1000 --exit

.PHONY: demo-orderhistory
demo-orderhistory: build redis ## export a generated shop of 500 customers, and send to all of them through the simulator
	@sh deploy/demo-orderhistory.sh

.PHONY: bench
bench: s3 build ## measure: each benchmark once
	go test -run '^$$' -bench . -benchtime 1x ./test/bench/...

.PHONY: chaos
chaos: redis build ## kill workers, Redis and the queue while 5,000 are sent to, and count; some fifteen minutes
	go test -count 1 -timeout 20m -v ./test/chaos -long

RELEASE ?= $(or $(shell git describe --tags --abbrev=0 --match 'v*' 2>/dev/null),HEAD)

.PHONY: chaos-short
chaos-short: redis build ## the same with a few hundred, fewer kills, and all at once; two minutes
	go test -count 1 -vet=off -ldflags '-s -w' -timeout $(TEST_TIMEOUT) ./test/chaos

.PHONY: chaos-mixed
chaos-mixed: redis build ## send 5,000 with this version beside the last release's, or that of RELEASE=tag-or-commit
	go test -count 1 -timeout 20m -v -run '^TestMixed' ./test/chaos -long -release "$(RELEASE)"

.PHONY: search
search: redis ## walk at random over what can happen, ten minutes, other walks each time; SEED=N makes one walk again
	go test -count 1 -timeout 20m -v -run '^TestSearch' ./test/search $(if $(SEED),-rapid.seed $(SEED),-search 10m -search.from 0)

.PHONY: pin-images
pin-images: ## pin the images that ours is built on and runs beside to their digests of today; CHECK=1 only looks; needs the network
	@sh deploy/pin-images.sh $(if $(CHECK),check)

.PHONY: pin-test
pin-test: ## hold make pin-images to a registry of the test's own
	cd deploy/pintest && go test -vet=off -count 1 .

.PHONY: units-test
units-test: build ## hold the systemd units to systemd-analyze; needs systemd, which needn't run
	cd deploy/releasetest && go test -count 1 -run '^TestUnits' .

.PHONY: release-test
release-test: redis build ## make a release without publishing it, open it, and run it under systemd; root, Debian, ten minutes and 6 GB
	@sh deploy/need-nspawn.sh
	goreleaser=$$(sh deploy/need-goreleaser.sh) && $$goreleaser check && $$goreleaser release --snapshot --clean --skip=docker,publish --parallelism 2
	cd deploy/releasetest && go test -count 1 .

.PHONY: release
release: ## publish the release of the tag that is checked out (docs/releasing.md); needs GITHUB_TOKEN and Docker with buildx
	@sh deploy/pin-images.sh pinned
	tag=$$(git describe --exact-match --tags --match 'v*') && mkdir -p bin && sh deploy/release-notes.sh $$tag > bin/release-notes.md && \
		goreleaser=$$(sh deploy/need-goreleaser.sh) && $$goreleaser release --clean --release-notes bin/release-notes.md

.PHONY: cover
cover: redis postgres s3 chromium build ## test and show what part of the code the tests run
	go test -timeout $(TEST_TIMEOUT) -coverpkg ./... -coverprofile coverage.out ./...
	@go tool cover -func coverage.out | tail -n 1

.PHONY: fmt
fmt: ## format the code
	gofmt -w .

.PHONY: passwords
passwords: ## add a password for each of Redis's users to .env, where it has none
	@umask 077; [ ! -s .env ] || [ -z "$$(tail -c 1 .env)" ] || echo >>.env; for user in WORK LISTEN CONSOLE SCHEDULE CLI; do \
		grep -qs "^REDIS_PASSWORD_$$user=" .env || echo "REDIS_PASSWORD_$$user=$$(head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n')" >>.env; done

.PHONY: redis
redis: ## install redis-server where it's missing (apt-get or brew)
	@sh deploy/need-redis.sh

.PHONY: postgres
postgres: ## install PostgreSQL where it's missing (apt-get or brew)
	@sh deploy/need-postgres.sh

.PHONY: s3
s3: ## build the tests' S3 server where it's missing (Go module proxy)
	@sh deploy/need-s3.sh

.PHONY: chromium
chromium: ## install Chromium where it's missing (apt-get), for the tests of the pages
	@sh deploy/need-chromium.sh

.PHONY: pictures
pictures: redis chromium build ## take the pictures of the console's pages in docs/pictures anew
	go test -count 1 -run '^TestPages_AreReadable$$' ./test/process -pictures $(CURDIR)/docs/pictures

# What the image, and the programs in it, say of themselves.
image image-local image-programs sbom: export VERSION ?= $(shell git describe --tags --match 'v*' --always --dirty 2>/dev/null)
image image-local: export REVISION ?= $(shell git rev-parse HEAD 2>/dev/null)
IMAGE ?= $(or $(shell sed -n 's/^IMAGE=//p' .env 2>/dev/null | tail -n 1),handout)

.PHONY: image
image: ## build the image, in Docker alone; IMAGE=handout:next names it
	docker build --file deploy/Dockerfile --build-arg VERSION --build-arg REVISION --tag $(IMAGE) .

.PHONY: image-local image-programs
image-local: image-programs ## build the image from programs built here, without Go's image; IMAGE as above
	docker build --file deploy/Dockerfile.local --build-arg VERSION --build-arg REVISION --tag $(IMAGE) bin/image
image-programs:
	GOOS=linux go build -ldflags '-s -w -X github.com/handout-dev/handout/internal/version.release=$(VERSION)' -o bin/image/ ./cmd/handout ./cmd/orderhistory

.PHONY: compose-test
compose-test: redis docker ## run docs/operating.md's section on Docker Compose, with 2,000 sends and kills; some ten minutes
	go test -count 1 -timeout 30m -v -tags compose ./test/compose

.PHONY: docker
docker:
	@sh deploy/need-docker.sh

.PHONY: up
up: image $(if $(wildcard .env),passwords) ## start everything in Docker: against the account in .env, else against the simulator
	$(COMPOSE) up --detach --wait

.PHONY: down
down: ## stop what make up started; the data stays in its volume
	$(COMPOSE) down

.PHONY: clean
clean: ## remove what make built
	rm -rf bin coverage.out
