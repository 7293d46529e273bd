# The targets that people run. `make` alone lists them.
GO ?= go
PKGS := ./...

.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

# The commit is stamped into the binary if git can tell it, which it cannot in a clone that belongs to another user.
STAMP := $(shell git rev-parse HEAD >/dev/null 2>&1 && echo true || echo false)
# The profile is named here. As cmd/byline/default.pgo it would also make go vet and go test compile every dependency again.
PROFILE := bench/byline.pgo
build: ## build ./byline, optimized by the profile that make pgo records
	@echo "==> building ./byline"
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=$(STAMP) -pgo=$(PROFILE) -o byline ./cmd/byline

demo: build ## show in seconds what Byline does; needs only Go
	@echo "==> running the demo"
	@./byline demo

deps: ## install what the tests need (Debian packages, playwright-core)
	@echo "==> installing what the tests need"
	@if [ -x cmd/byline/e2e/install.sh ]; then cmd/byline/e2e/install.sh; fi

test: deps ## run all tests with the race detector, including those with real applications
	@echo "==> checking allocations on the request path"
	$(GO) test -pgo=$(PROFILE) -run Allocations ./proxy ./adapters # as make build compiles: the profile decides what is inlined, and so what allocates
	@echo "==> running all tests with the race detector"
	$(GO) test -race -timeout 14m $(PKGS)

short: ## run only the quick tests
	@echo "==> running the quick tests with the race detector"
	$(GO) test -short -race $(PKGS)

vet: ## run gofmt and go vet
	@echo "==> checking the format"
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "gofmt these files"; exit 1; }
	@echo "==> running go vet"
	$(GO) vet $(PKGS)

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
# SA1019 is off: it rejects the parts of x/net/http2 that serve a given connection, which net/http cannot do.
lint: vet ## run gofmt, go vet and staticcheck
	@echo "==> running staticcheck"
	$(GO) run $(STATICCHECK) -checks inherit,-SA1019 $(PKGS)

GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
vulncheck: ## look for known vulnerabilities, where vuln.go.dev can be reached
	@echo "==> looking for known vulnerabilities"
	@GOBIN=$(CURDIR)/bin $(GO) install $(GOVULNCHECK)
	@bin/govulncheck $(PKGS); code=$$?; \
		if [ $$code = 3 ]; then exit 1; elif [ $$code != 0 ]; then echo "govulncheck could not run: nothing was checked"; fi

FUZZTIME ?= 30s
fuzz: ## run each fuzz target for FUZZTIME (30s)
	@for p in $$($(GO) list $(PKGS)); do \
		for f in $$($(GO) test -list '^Fuzz' $$p | grep ^Fuzz); do \
			echo "==> fuzzing $$f in $$p for $(FUZZTIME)"; \
			$(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$p || exit 1; \
		done; \
	done

bench: ## compare the cost of Byline with a tunnel and other proxies; writes bench/RESULTS.md (under ten minutes)
	@echo "==> installing the proxies to compare with"
	@if [ -x bench/install.sh ]; then bench/install.sh; fi
	@echo "==> measuring"
	$(GO) run ./bench/cmd/bench $(BENCHFLAGS)

PGO := /tmp/byline-pgo
pgo: ## record the profile that make build optimizes by; writes bench/byline.pgo (two minutes)
	@echo "==> building a Byline that records profiles"
	rm -rf $(PGO) && mkdir $(PGO)
	CGO_ENABLED=0 $(GO) build -trimpath -pgo=$(PROFILE) -tags profiled -o $(PGO)/byline ./cmd/byline
	@echo "==> recording profiles under the workloads of the bench"
	BYLINE_CPU_PROFILES=$(PGO) $(GO) run ./bench/cmd/bench --byline $(PGO)/byline --peers tunnel,byline --works small,fresh,resumed,h2,h2-h2,down,up \
		--rounds $(or $(PGOROUNDS),4) --length 1500ms --big 268435456 --idle "" --latency 0 --growth 0 --stream 0 --results $(PGO)/RESULTS.md
	@echo "==> merging the profiles into $(PROFILE)"
	$(GO) tool pprof -proto $(PGO)/*.pprof >$(PGO)/merged && cp $(PGO)/merged $(PROFILE)

AUDIT_RECORDS ?= 1000000
bench-audit: ## measure how fast records become durable, are verified and proved, for bench/AUDIT.md (a few minutes)
	@echo "==> measuring how fast records become durable"
	AUDIT_RECORDS=$(AUDIT_RECORDS) $(GO) test ./proxy/audit/journal -run '^$$' -bench 'Durable|WaitAt10k|DiskAlone|Open' -benchtime 3s -count 5 -timeout 20m
	@echo "==> measuring how fast records are verified and proved"
	AUDIT_RECORDS=$(AUDIT_RECORDS) $(GO) test ./proxy/audit ./proxy/audit/internal/merkle -run '^$$' -bench 'Verify$$|ProveAt100M' -benchtime 3x -timeout 30m

FOR ?= 5m
chaos: ## kill, cut the power, stop and break the disk of a server under load, for FOR (5m), and print a table; needs root and /dev/fuse
	BYLINE_CHAOS=$(FOR) $(GO) test ./cmd/byline/e2e -run '^TestChaos$$' -v -timeout 0

LENGTH ?= 15m
soak: ## send mixed traffic for LENGTH (15m) and check that heap, memory, goroutines and descriptors stay flat; prints a table
	BYLINE_SOAK=$(LENGTH) $(GO) test ./cmd/byline/e2e -run '^TestSoak$$' -v -timeout 0

SCALE ?= 100
scale: ## measure tasks, adapters and records at three sizes (SCALE percent of the full ones, PARTS like living,records); writes a section of bench/RESULTS.md
	BYLINE_SCALE=$(SCALE) BYLINE_SCALE_PARTS=$(PARTS) BYLINE_SCALE_RESULTS=$(CURDIR)/bench/RESULTS.md $(GO) test ./cmd/byline/e2e -run '^TestScale$$' -v -timeout 0

clients: ## run every client of docs/clients.md under byline run, plain and isolated, and write the page; installs browsers
	@echo "==> installing the clients"
	@cmd/byline/e2e/clients/get/install.sh
	@echo "==> running the clients"
	BYLINE_CLIENTS=$$(cmd/byline/e2e/clients/get/install.sh) $(GO) test ./cmd/byline/e2e -run '^TestClientsTable$$' -v -timeout 0

.PHONY: clients scale soak chaos help build demo deps test short vet lint vulncheck fuzz bench pgo bench-audit
