# Targets a person types. `make` alone lists them.
GO ?= go
PKGS := ./...

.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

build: ## build ./byline
	CGO_ENABLED=0 $(GO) build -trimpath -o byline ./cmd/byline

demo: build ## what Byline does, shown in seconds: needs Go and nothing else
	@./byline demo

deps: ## install what the tests need (Debian packages, playwright-core)
	@if [ -x cmd/byline/e2e/install.sh ]; then cmd/byline/e2e/install.sh; fi

test: deps ## every test, with the race detector, the real applications included
	$(GO) test -race -timeout 14m $(PKGS)

short: ## the quick tests only
	$(GO) test -short -race $(PKGS)

vet: ## gofmt and go vet
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "gofmt these files"; exit 1; }
	$(GO) vet $(PKGS)

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

.PHONY: help build demo deps test short vet fuzz bench
