# Everything here is a short name for a command that can be typed as well. Nothing is needed but Go,
# a C compiler for the race detector, and Docker for "make image".

# disable_grpc_modules leaves out about 13 MB of gRPC that FCM's SDK brings along and pushes do not use.
TAGS     ?= disable_grpc_modules
FUZZTIME ?= 10s
IMAGE    ?= hongyan

.DEFAULT_GOAL := help
.PHONY: help build test check check-deploy fmt tidy vet lint fresh race release-check vuln generate golden fuzz bench run-dev image clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z -]+:.*## / {printf "  make %-31s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## Build worker, publisher and sandbox into bin/
	CGO_ENABLED=0 go build -trimpath -tags $(TAGS) -ldflags '-s -w' -o bin/ ./cmd/worker ./cmd/publisher ./cmd/sandbox

test: ## Run the tests of daily work: all but the long ones, without the race detector (about a minute)
	go test -short ./...

check: ## Run the gate that every change must pass, as CI does
	@scripts/check.sh

check-deploy: ## Hold compose file, Helm chart, alerts and dashboard to the tools that read them, and break an installation to see the alerts
	@scripts/check.sh deploy

fmt tidy vet lint fresh race: ## Run one step of the gate
	@scripts/check.sh $@

release-check: ## Check the release's configuration with goreleaser (a large tool; its first build takes minutes)
	go run github.com/goreleaser/goreleaser/v2@v2.16.0 check

vuln: ## Look for known vulnerabilities; needs to reach https://vuln.go.dev
	go run golang.org/x/vuln/cmd/govulncheck@v1.9.0 ./...

generate: ## Write docs/vendors, config.md, messages.md, texts.md, metrics.md and explain.md, in both languages, the JSON Schemas, and deploy/compose
	go run ./internal/reference/generate

golden: ## Write every driver's golden requests anew; read the difference before you commit it
	go test -run '^TestConformance$$/^golden$$' $$(dirname $$(grep -l 'vendortest\.Run(' internal/vendors/*/*_test.go) | sort -u | sed 's|^|./|') -update

fuzz: ## Fuzz each target for FUZZTIME (10s)
	@grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -n1 dirname | sort -u | while read -r dir; do \
		for target in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]*' $$dir/*_test.go | sed 's/^func //'); do \
			echo "$$dir $$target"; \
			go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$dir || exit 1; \
		done; \
	done

bench: ## Run the Go benchmarks, then the whole pipeline's (see docs/performance.md)
	go test -run '^$$' -bench . -benchmem ./...
	go run ./internal/bench

run-dev: ## Start everything on this machine and watch pushes arrive
	go run -tags $(TAGS) ./cmd/worker dev

image: ## Build the image
	docker build -t $(IMAGE) .

clean: ## Remove what "make build" made
	rm -rf bin
