.DEFAULT_GOAL := help

# The binary needs nothing of the machine that it runs on, and says the same of
# its source wherever it was built.
BUILD := CGO_ENABLED=0 go build -trimpath

# Pinned: a new check must not turn an old commit red.
STATICCHECK := go run honnef.co/go/tools/cmd/staticcheck@v0.8.2

# Per package; the slowest takes a third of it on two cores.
TEST_TIMEOUT := 15m

# Docker Compose with the real account's .env where there is one, else with the
# simulator.
COMPOSE := docker compose $(if $(wildcard .env),,--env-file deploy/simulate.env --profile simulate)

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/handout and bin/orderhistory, static binaries
	$(BUILD) -o bin/handout ./cmd/handout
	$(BUILD) -o bin/orderhistory ./cmd/orderhistory

.PHONY: test
test: redis postgres s3 chromium ## check everything: format, vet, staticcheck, all tests with the race detector
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not formatted, run make fmt:" $$unformatted >&2; exit 1; }
	go vet ./...
	$(STATICCHECK) ./...
	go test -race -timeout $(TEST_TIMEOUT) ./...
	cd deploy/alertstest && go vet . && go test -count 1 . # the rules lie outside its module: no cache sees them change

.PHONY: demo
demo: build ## send to 1,000 recipients through the simulator, and show how each got the file
	bin/handout demo --recipients 1000 --exit

.PHONY: demo-orderhistory
demo-orderhistory: build redis ## export a generated shop of 500 customers, and send to all of them through the simulator
	@sh deploy/demo-orderhistory.sh

.PHONY: bench
bench: s3 ## measure: each benchmark once
	go test -run '^$$' -bench . -benchtime 1x ./test/bench/...

.PHONY: chaos
chaos: redis ## kill workers, Redis and the queue while 5,000 are sent to, and count; some fifteen minutes
	go test -count 1 -timeout 20m -v ./test/chaos -long

.PHONY: cover
cover: redis postgres s3 chromium ## test and show what part of the code the tests run
	go test -timeout $(TEST_TIMEOUT) -coverpkg ./... -coverprofile coverage.out ./...
	@go tool cover -func coverage.out | tail -n 1

.PHONY: fmt
fmt: ## format the code
	gofmt -w .

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
pictures: redis chromium ## take the pictures of the console's pages in docs/pictures anew
	go test -count 1 -run '^TestPages_AreReadable$$' ./cmd/handout -pictures $(CURDIR)/docs/pictures

.PHONY: up
up: ## start everything in Docker: against the account in .env, else against the simulator
	$(COMPOSE) up --build --detach --wait

.PHONY: down
down: ## stop what make up started; the data stays in its volume
	$(COMPOSE) down

.PHONY: clean
clean: ## remove what make built
	rm -rf bin coverage.out
