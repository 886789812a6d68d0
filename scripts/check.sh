#!/usr/bin/env bash
# The gate: what every change must pass. "make check" and CI run this and nothing else; it needs Go,
# a C compiler for the race detector, and the network for modules that are not there yet.
#
#   scripts/check.sh            all steps
#   scripts/check.sh lint tidy  these steps
#   scripts/check.sh deploy     what is deployed, which is no step of all: it builds Helm's and
#                               Prometheus' code, and breaks an installation for two minutes
#
# The steps that answer soonest come first, and the first that fails ends it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# fmt says which files are not formatted.
fmt() {
	local files
	files=$(gofmt -l .)
	[[ -z $files ]] || fail "not formatted, run gofmt -w on:" "$files"
}

# tidy says whether go.mod and go.sum name what is imported and no more, those of the linters and of
# deploy/tools too.
tidy() {
	go mod tidy -diff
	go -C tools mod tidy -diff
	go -C deploy/tools mod tidy -diff
}

# vet runs go vet.
vet() {
	go vet ./...
	go -C tools vet ./...
}

# lint builds the linters of tools/go.mod and runs them; tools/lint has them with their reasons.
lint() {
	go -C tools test ./...
	mkdir -p bin/tools
	go -C tools build -o ../bin/tools/ tool ./lint
	bin/tools/lint
}

# fresh says whether the generated pages are what "make generate" would write.
fresh() {
	go test -run '^TestFresh$' ./internal/reference
}

# build compiles everything before the tests run, so that they do not compete with the compiler.
build() {
	go build -race ./...
}

# race runs all tests.
race() {
	go test -race -timeout 30m ./...
}

# deploy holds the compose file, the chart, the alerts and the dashboard to the code of the tools that
# read them, and sees which alerts fire when an installation breaks.
deploy() {
	go -C deploy/tools vet ./...
	go -C deploy/tools test -count=1 -timeout 30m ./... # it runs programs of this module, which the test cache does not see
}

fail() {
	printf '%s\n' "$@" >&2
	exit 1
}

steps=("$@")
[[ $# -gt 0 ]] || steps=(fmt tidy vet lint fresh build race)
for step in "${steps[@]}"; do
	case $step in
	fmt | tidy | vet | lint | fresh | build | race | deploy) ;;
	*) fail "no step is called $step; there are fmt, tidy, vet, lint, fresh, build, race and deploy" ;;
	esac
	echo "== $step"
	begin=$SECONDS
	"$step"
	echo "   $((SECONDS - begin)) s"
done
