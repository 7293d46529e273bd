# Targets a person types. `make` alone lists them.
GO ?= go
PKGS := ./...

.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

# The commit is stamped where git gives it, which it does not in another user's clone.
STAMP := $(shell git rev-parse HEAD >/dev/null 2>&1 && echo true || echo false)
# Named here and not kept as cmd/byline/default.pgo, which would compile every dependency a second time for go vet and go test too.
PROFILE := bench/byline.pgo
build: ## build ./byline, optimised by the profile that make pgo takes
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=$(STAMP) -pgo=$(PROFILE) -o byline ./cmd/byline

demo: build ## what Byline does, shown in seconds: needs Go and nothing else
	@./byline demo

deps: ## install what the tests need (Debian packages, playwright-core)
	@if [ -x cmd/byline/e2e/install.sh ]; then cmd/byline/e2e/install.sh; fi

test: deps ## every test, with the race detector, the real applications included
	$(GO) test -run Allocations ./proxy
	$(GO) test -race -timeout 14m $(PKGS)

short: ## the quick tests only
	$(GO) test -short -race $(PKGS)

vet: ## gofmt and go vet
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "gofmt these files"; exit 1; }
	$(GO) vet $(PKGS)

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
lint: ## staticcheck, and govulncheck where vuln.go.dev is reached
	@GOBIN=$(CURDIR)/bin $(GO) install $(STATICCHECK) && GOBIN=$(CURDIR)/bin $(GO) install $(GOVULNCHECK)
	bin/staticcheck -checks inherit,-SA1019 $(PKGS) # SA1019: x/net/http2 is given connections, which net/http does not take
	@bin/govulncheck $(PKGS); code=$$?; \
		if [ $$code = 3 ]; then exit 1; elif [ $$code != 0 ]; then echo "govulncheck could not run: nothing was checked for known vulnerabilities"; fi

FUZZTIME ?= 30s
fuzz: ## each fuzz target for FUZZTIME (30s)
	@for p in $$($(GO) list $(PKGS)); do \
		for f in $$($(GO) test -list '^Fuzz' $$p | grep ^Fuzz); do \
			echo "== $$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$p || exit 1; \
		done; \
	done

bench: ## what Byline costs beside a tunnel and other proxies, into bench/RESULTS.md (under ten minutes)
	@if [ -x bench/install.sh ]; then bench/install.sh; fi
	$(GO) run ./bench/cmd/bench $(BENCHFLAGS)

PGO := /tmp/byline-pgo
pgo: ## profile Byline under the bench's works, for the build to optimise by: writes bench/byline.pgo (two minutes)
	rm -rf $(PGO) && mkdir $(PGO)
	CGO_ENABLED=0 $(GO) build -trimpath -pgo=$(PROFILE) -tags profiled -o $(PGO)/byline ./cmd/byline
	BYLINE_CPU_PROFILES=$(PGO) $(GO) run ./bench/cmd/bench --byline $(PGO)/byline --peers tunnel,byline --works small,fresh,resumed,h2,h2-h2,down,up \
		--rounds $(or $(PGOROUNDS),4) --length 1500ms --big 268435456 --idle "" --latency 0 --growth 0 --stream 0 --results $(PGO)/RESULTS.md
	$(GO) tool pprof -proto $(PGO)/*.pprof >$(PGO)/merged && cp $(PGO)/merged $(PROFILE)

AUDIT_RECORDS ?= 1000000
bench-audit: ## how fast records become durable, are verified and proved; figures in bench/AUDIT.md (a few minutes)
	AUDIT_RECORDS=$(AUDIT_RECORDS) $(GO) test ./proxy/audit/journal -run '^$$' -bench 'Durable|WaitAt10k|DiskAlone|Open' -benchtime 3s -count 5 -timeout 20m
	AUDIT_RECORDS=$(AUDIT_RECORDS) $(GO) test ./proxy/audit ./proxy/audit/internal/merkle -run '^$$' -bench 'Verify$$|ProveAt100M' -benchtime 3x -timeout 30m

.PHONY: help build demo deps test short vet lint fuzz bench pgo bench-audit
