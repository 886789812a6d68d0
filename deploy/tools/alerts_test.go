// Package deploy_test holds what is deployed to those who will run it: the compose file to
// Compose's own loader, the chart to Helm, to Kubernetes' types and to KEDA's schema, the alerts to
// Prometheus' query engine, and all of them to the metrics that a worker exports. It is a module of
// its own, so that none of these reaches the product's go.mod.
package deploy_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// healthy are the series of an installation with two workers in which all is well, one sample a
// minute for an hour.
var healthy = []string{
	`up{job="hongyan",instance="a"} 1x180`,
	`up{job="hongyan",instance="b"} 1x180`,
	`hongyan_ready{instance="a"} 1x180`,
	`hongyan_ready{instance="b"} 1x180`,
	`hongyan_oldest_seconds{vendor="none"} 1x180`,
	`hongyan_oldest_seconds{vendor="oppo"} 0x180`,
	`hongyan_messages_untaken 3x180`,
	`hongyan_unstored_bytes{stream="outcome"} 300x180`,
	`hongyan_store_failures_total{stream="outcome"} 7x180`,
	`hongyan_quota_limit{vendor="oppo",certificate="1",class="public",pool="normal"} 100000x180`,
	`hongyan_quota_left{vendor="oppo",certificate="1",class="public",pool="normal"} 100000-100x180`,
	`hongyan_clock_skew_seconds{instance="a",against="oppo",certificate="1"} -0.4x180`,
	`hongyan_stream_copies_missing{stream="PUSH_DIRECTORY"} 0x180`,
	`hongyan_parked{vendor="oppo",certificate="1"} 0x180`,
	`hongyan_messages_total{app="demo",result="planned"} 0+100x180`,
	`hongyan_messages_total{app="demo",result="malformed"} 0x180`,
	`hongyan_attempts_total{vendor="oppo",certificate="1",lane="normal",reason="accepted"} 0+100x180`,
	`hongyan_attempts_total{vendor="oppo",certificate="1",lane="normal",reason="quota_spent"} 0x180`,
	`hongyan_attempts_total{vendor="oppo",certificate="1",lane="normal",reason="bad_credentials"} 0x180`,
	`hongyan_outcomes_total{vendor="oppo",certificate="1",lane="normal",reason="accepted"} 0+100x180`,
	`hongyan_outcomes_total{vendor="oppo",certificate="1",lane="normal",reason="bad_token"} 0+2x180`,
	`hongyan_outcomes_total{vendor="oppo",certificate="1",lane="normal",reason="refused"} 0x180`,
}

// cases are what goes wrong. Series named here take the place of the healthy ones.
var cases = []struct {
	name   string
	series []string
	// at is how long it has gone on when fires are exactly the alerts that fire.
	at    time.Duration
	fires []string
}{
	{name: "all_is_well", at: 50 * time.Minute},
	{name: "one_worker_is_gone", at: 20 * time.Minute, fires: []string{"HongyanWorkerDown"},
		series: []string{`up{job="hongyan",instance="b"} 1x10 0x50`, `hongyan_ready{instance="b"} 1x10 stale`}},
	// a restart
	{name: "a_worker_is_away_for_a_minute", at: 12 * time.Minute,
		series: []string{`up{job="hongyan",instance="b"} 1x10 0 1x50`, `hongyan_ready{instance="b"} 1x10 0 1x50`}},
	{name: "a_worker_does_not_get_ready", at: 20 * time.Minute, fires: []string{"HongyanWorkerNotReady"},
		series: []string{`hongyan_ready{instance="b"} 1x10 0x50`}},
	{name: "nobody_is_ready", at: 13 * time.Minute, fires: []string{"HongyanNobodyReady"},
		series: []string{`hongyan_ready{instance="a"} 1x10 0x50`, `hongyan_ready{instance="b"} 1x10 0x50`}},
	// Nothing is scraped any more, so that there is no series at all.
	{name: "all_workers_are_gone", at: 20 * time.Minute, fires: []string{"HongyanNobodyReady"},
		series: []string{`up{job="hongyan",instance="a"} 1x10 stale`, `up{job="hongyan",instance="b"} 1x10 stale`,
			`hongyan_ready{instance="a"} 1x10 stale`, `hongyan_ready{instance="b"} 1x10 stale`}},
	{name: "messages_are_not_taken", at: 20 * time.Minute, fires: []string{"HongyanMessagesLate"},
		series: []string{`hongyan_oldest_seconds{vendor="none"} 1x10 30+60x50`}},
	{name: "a_peak_of_messages", at: 13 * time.Minute,
		series: []string{`hongyan_oldest_seconds{vendor="none"} 1x10 90 130 60 1x50`}},
	// Jobs wait for a vendor, and nobody is called for that.
	{name: "jobs_wait_for_hours", at: 50 * time.Minute,
		series: []string{`hongyan_oldest_seconds{vendor="oppo"} 0+60x180`, `hongyan_backlog{vendor="oppo"} 0+1000x60`}},
	{name: "records_cannot_be_stored", at: 18 * time.Minute, fires: []string{"HongyanResultsUnstored"},
		series: []string{`hongyan_unstored_bytes{stream="outcome"} 0x10 100+1000x50`, `hongyan_store_failures_total{stream="outcome"} 7x10 8+30x50`}},
	{name: "an_election", at: 13 * time.Minute,
		series: []string{`hongyan_store_failures_total{stream="outcome"} 7x10 20x50`, `hongyan_stream_copies_missing{stream="PUSH_DIRECTORY"} 0x10 1 0x50`}},
	{name: "a_nats_server_is_away", at: 15 * time.Minute, fires: []string{"HongyanNATSCopyMissing"},
		series: []string{`hongyan_stream_copies_missing{stream="PUSH_DIRECTORY"} 0x10 1x50`}},
	{name: "credentials_are_refused", at: 14 * time.Minute, fires: []string{"HongyanCertificateParked"},
		series: []string{
			`hongyan_parked{vendor="oppo",certificate="1"} 0x10 1x50`,
			`hongyan_attempts_total{vendor="oppo",certificate="1",lane="normal",reason="bad_credentials"} 0x10 1 1 2x48`,
		}},
	{name: "a_template_is_wrong", at: 20 * time.Minute, fires: []string{"HongyanKindParked"},
		series: []string{`hongyan_parked_kind{vendor="oppo",certificate="1",kind="group"} 0x10 1x50`}},
	// Its certificate is parked meanwhile, and only probes go out.
	{name: "a_vendor_is_away", at: 20 * time.Minute, fires: []string{"HongyanVendorFails"},
		series: []string{
			`hongyan_parked{vendor="oppo",certificate="1"} 0x10 1x50`,
			`hongyan_attempts_total{vendor="oppo",certificate="1",lane="normal",reason="accepted"} 0+100x10 1000x50`,
			`hongyan_attempts_total{vendor="oppo",certificate="1",lane="normal",reason="unavailable"} 0x10 0+1x50`,
		}},
	{name: "a_vendor_stumbles", at: 30 * time.Minute,
		series: []string{`hongyan_attempts_total{vendor="oppo",certificate="1",lane="normal",reason="timeout"} 0+20x180`}},
	// One answer is enough: the vendor is not asked again.
	{name: "the_quota_is_spent", at: 15 * time.Minute, fires: []string{"HongyanQuotaSpent"},
		series: []string{`hongyan_attempts_total{vendor="oppo",certificate="1",lane="normal",reason="quota_spent"} 0x10 1x50`}},
	{name: "the_quota_will_be_spent", at: 100 * time.Minute, fires: []string{"HongyanQuotaRunsOut"},
		series: []string{`hongyan_quota_left{vendor="oppo",certificate="1",class="public",pool="normal"} 100000-800x110`}},
	// A certificate that the vendor issued for a year.
	{name: "a_certificate_ends_in_a_week", at: 90 * time.Minute, fires: []string{"HongyanCredentialExpires"},
		series: []string{`hongyan_credential_expiry_seconds{vendor="apns",certificate="2",credential="certificate"} 1800604800x100`}},
	{name: "a_token_has_ended", at: 90 * time.Minute,
		series: []string{`hongyan_credential_expiry_seconds{vendor="fcm",certificate="3",credential="token"} 1799000000x100`}},
	{name: "a_clock_is_wrong", at: 30 * time.Minute, fires: []string{"HongyanClockSkew"},
		series: []string{`hongyan_clock_skew_seconds{instance="a",against="oppo",certificate="1"} -0.4x10 -95x50`}},
	{name: "pushes_are_refused", at: 30 * time.Minute, fires: []string{"HongyanDeadLetters"},
		series: []string{`hongyan_outcomes_total{vendor="oppo",certificate="1",lane="normal",reason="refused"} 0x10 0+10x50`}},
	{name: "one_push_in_a_thousand_is_refused", at: 50 * time.Minute,
		series: []string{
			`hongyan_outcomes_total{vendor="oppo",certificate="1",lane="normal",reason="accepted"} 0+10000x180`,
			`hongyan_outcomes_total{vendor="oppo",certificate="1",lane="normal",reason="refused"} 0+10x180`,
		}},
	{name: "one_malformed_message", at: 15 * time.Minute, fires: []string{"HongyanMalformed"},
		series: []string{`hongyan_messages_total{app="demo",result="malformed"} 0x10 1x50`}},
	{name: "the_environment_is_wrong", at: 50 * time.Minute, fires: []string{"HongyanTokensRefused"},
		series: []string{
			`hongyan_outcomes_total{vendor="oppo",certificate="1",lane="normal",reason="accepted"} 0x180`,
			`hongyan_outcomes_total{vendor="oppo",certificate="1",lane="normal",reason="not_displayed"} 0+10x180`,
		}},
	// A test phone whose three pushes fail is no reason to look.
	{name: "few_pushes_and_all_dead", at: 50 * time.Minute,
		series: []string{
			`hongyan_outcomes_total{vendor="oppo",certificate="1",lane="normal",reason="accepted"} 0x180`,
			`hongyan_outcomes_total{vendor="oppo",certificate="1",lane="normal",reason="bad_token"} 0x20 3x40`,
		}},
}

func TestAlerts(t *testing.T) {
	t.Parallel()
	covered := map[string]bool{}
	for _, c := range cases {
		for _, name := range c.fires {
			covered[name] = true
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			begin := time.Unix(1_800_000_000, 0)
			all := newSeries()
			given := map[uint64]bool{}
			for _, text := range slices.Concat(c.series, healthy) {
				lset, values, err := promqlParser.ParseSeriesDesc(text)
				if err != nil {
					t.Fatalf("%s: %v", text, err)
				}
				if given[lset.Hash()] {
					continue // a healthy one whose place is taken
				}
				given[lset.Hash()] = true
				for i, v := range values {
					if !v.Omitted {
						all.add(lset, begin.Add(time.Duration(i)*time.Minute), v.Value)
					}
				}
			}
			r := loadRules(t)
			var got []string
			for at := begin; !at.After(begin.Add(c.at)); at = at.Add(15 * time.Second) {
				firing, err := r.eval(t.Context(), all, at)
				if err != nil {
					t.Fatal(err)
				}
				got = names(firing)
			}
			if diff := cmp.Diff(c.fires, got); diff != "" {
				t.Errorf("fires (-want +got):\n%s", diff)
			}
		})
	}
	for _, a := range loadRules(t).alerts {
		if !covered[a.Alert] {
			t.Errorf("%s fires in no case", a.Alert)
		}
	}
}

// Every alert says how urgent it is and what it means, and the operations page, in both languages,
// says under its name what to do.
func TestRunbooks(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"operations.md", "operations.zh-CN.md"} {
		text, err := os.ReadFile("../../docs/" + page)
		if err != nil {
			t.Fatal(err)
		}
		told := map[string]bool{}
		for _, m := range regexp.MustCompile(`(?m)^#+ (Hongyan\w+)$`).FindAllStringSubmatch(string(text), -1) {
			told[m[1]] = true
		}
		for _, a := range loadRules(t).alerts {
			if !told[a.Alert] {
				t.Errorf("%s has no heading %s", page, a.Alert)
			}
			delete(told, a.Alert)
		}
		for name := range told {
			t.Errorf("%s tells of %s, which is no alert", page, name)
		}
	}
	for _, a := range loadRules(t).alerts {
		if s := a.Labels["severity"]; s != "page" && s != "ticket" {
			t.Errorf("%s: severity %q", a.Alert, s)
		}
		if a.Annotations["summary"] == "" || a.Annotations["description"] == "" {
			t.Errorf("%s says nothing of itself", a.Alert)
		}
		want := "https://github.com/hongyan-im/hongyan/blob/main/docs/operations.md#" + strings.ToLower(a.Alert)
		if got := a.Annotations["runbook_url"]; got != want {
			t.Errorf("%s: runbook %q, want %q", a.Alert, got, want)
		}
	}
}
