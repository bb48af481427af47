# Each thing that a newcomer does is one target. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help setup build up run demo limits revocations test attack-timing fuzz docs-check lint format arrows bench ledger fresh-check compose-check clean

# Without what make adds to the environment, which is part of the key under which manifests are cached.
SWIFT_BUILD := env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u SHORT -u N -u EVENTS -u REPLAYED swift build -debug-info-format none
RELEASE := .build/release
SOURCES := $(shell find Package.swift Services Shared Tests/Sandbox Tests/LocalStack compose/Launcher -name '*.swift' -o -name '*.sql' -o -name '*.h' -o -name '*.c' 2>/dev/null)
LAUNCHER := $(RELEASE)/launcher
N ?= 20
EVENTS ?= 200000
REPLAYED ?= 100000

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1|\2/' | column -t -s '|'

setup: ## Install the Debian packages that building and running need
	@compose/local/setup.sh run

build: $(LAUNCHER) ## Build the services, the sandbox and the launcher (release)

$(RELEASE)/.built: $(SOURCES)
	@compose/local/setup.sh run
	@for product in gateway integrations campaigns webhooks sandbox launcher; do $(SWIFT_BUILD) -c release --product $$product || exit 1; done
	@compose/local/docs-assets.sh .build/docs-assets
	@touch $@

$(LAUNCHER): $(RELEASE)/.built

# exec: Ctrl-C must reach the launcher, which stops what it started, and make must wait for it.
run: $(LAUNCHER) ## Start everything, run the demo job once, stay up until Ctrl-C
	@exec $(LAUNCHER) run $(SET:%=--set %)

up: $(LAUNCHER) ## Start the four services and Postgres only (SET='NAME=VALUE …' gives them variables)
	@exec $(LAUNCHER) up $(SET:%=--set %)

demo: $(LAUNCHER) ## Run the demo job again in a new workspace, in the running stack where there is one
	@exec $(LAUNCHER) demo

ledger: $(LAUNCHER) ## Kill, freeze and crash amid campaigns (N=20 runs), webhooks (EVENTS=200000) and a replay (REPLAYED=100000); count lost and doubled
	@exec $(LAUNCHER) ledger --runs $(N)
	@exec $(LAUNCHER) ledger-webhooks --events $(EVENTS)
	@exec $(LAUNCHER) replay-webhooks --events $(REPLAYED)

limits: $(LAUNCHER) ## Hammer three gateways for 30 s and kill one; count what was admitted; then stop Postgres
	@exec $(LAUNCHER) limits

revocations: $(LAUNCHER) ## Time from a revocation to the first refusal at another gateway, 200 times (root: also with dropped packets)
	@exec $(LAUNCHER) revocations

TESTS := Models Encryption Database Transport ServiceKit Gateway Integrations Campaigns Webhooks EndToEnd
TEST_RUN := compose/local/test.sh .build/debug/switchboardPackageTests.xctest --testing-library swift-testing

test: ## Run every test beside a fresh private Postgres
	@compose/local/setup.sh test
	@$(SWIFT_BUILD) --build-tests
	@Tests/run.sh $(TESTS)

attack-timing: ## Sign in to 200 known and 200 unknown accounts; compare the times by rank (about a minute)
	@compose/local/setup.sh test
	@$(SWIFT_BUILD) --build-tests
	@ATTACK_TIMING=1 $(TEST_RUN) --filter '^GatewayTests\.SignInTimingTests'

fuzz: ## Attack every operation of the API document with schemathesis (SHORT=1: a few minutes less)
	@compose/local/setup.sh test
	@$(SWIFT_BUILD)
	@Tests/APIDocument/fuzz.sh .build/debug $(if $(SHORT),--short)

docs-check: ## Open /docs in a browser: render, search, try it, snippets
	@compose/local/setup.sh browser
	@$(SWIFT_BUILD)
	@compose/local/docs-assets.sh .build/docs-assets
	@Tests/Panel/docs-check.sh .build/debug

lint: arrows ## Check formatting, module arrows and that every variable is documented
	@.ci/variables
	@swift format lint --strict --parallel --recursive Package.swift Services Shared Tests compose

format: ## Format every source file
	@swift format format --in-place --parallel --recursive Package.swift Services Shared Tests compose

arrows: ## Check that modules import only what the design lets them
	@.ci/arrows

bench: ## Measure Database, Transport, Encryption, the gateway and webhooks beside their peers
	@compose/local/setup.sh bench
	@Tests/Benchmarks/run.sh

fresh-check: ## Follow the README in a bare Debian 12 with only make and the Swift toolchain added (root)
	@compose/local/setup.sh fresh
	@.ci/fresh-check

compose-check: $(LAUNCHER) ## Build and start the compose stack on a real engine and send one request through it (root)
	@.ci/compose-check

clean: ## Remove what was built and the local stack's data
	@-for run in .run .build/fuzz .build/docs-check; do \
		[ ! -d $$run/postgres ] || compose/local/postgres.sh stop $$run/postgres immediate; \
		[ ! -f $$run/postgres/location ] || rm -rf "$$(cat $$run/postgres/location)"; \
	done
	@rm -rf .build .run
