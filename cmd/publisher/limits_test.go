package main

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/parking"
	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/standing"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// introduce writes a worker's note.
func (r *rig) introduce(worker string, since time.Time, certificates ...dispatch.CertificateNote) {
	r.t.Helper()
	r.note(dispatch.WorkerRoom, worker, dispatch.WorkerNote{Host: "box-" + worker, PID: 7, Since: since, Certificates: certificates})
}

func (r *rig) note(room, key string, v any) {
	r.t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.bus.Notes(room).Put(r.t.Context(), key, data, time.Minute); err != nil {
		r.t.Fatal(err)
	}
}

// limited is an OPPO certificate with a rate and two classes.
func limited(public vendors.Quota) dispatch.CertificateNote {
	return dispatch.CertificateNote{App: "demo", Vendor: "oppo", Limits: ratelimit.Certificate{
		ID: "35001", Rate: vendors.Rate{DevicesPerSecond: 500}, DailyQuota: map[string]vendors.Quota{"public": public, "private": vendors.Unlimited},
		UrgentReserve: 0.1, Timezone: "Asia/Shanghai", Timeout: time.Second,
		Classes: []vendors.Class{{Name: "private"}, {Name: "public", Capped: true, DailyQuota: 30_000, DeviceCap: 2}},
	}}
}

var huaweiLimits = dispatch.CertificateNote{App: "other", Vendor: "huawei", Limits: ratelimit.Certificate{ID: "h-1", Classes: []vendors.Class{{Name: "communication"}}}}

// spend lets a worker take n of the public quota of 35001, and leave without giving back what it
// was counted.
func (r *rig) spend(n int, cert dispatch.CertificateNote) {
	r.t.Helper()
	l, err := ratelimit.New(r.bus.LimitStore(), ratelimit.Options{Alone: true, Certificates: []ratelimit.Certificate{cert.Limits}})
	if err != nil {
		r.t.Fatal(err)
	}
	for n > 0 {
		g, err := l.Take(r.t.Context(), ratelimit.Request{Certificate: cert.Limits.ID, Class: cert.Limits.Classes[1], Devices: n, Now: time.Now()})
		if err != nil {
			r.t.Fatal(err)
		}
		l.Settle(g, ratelimit.Outcome{Counted: g.Devices, Now: time.Now()})
		n -= g.Devices
		if g.Devices == 0 {
			time.Sleep(g.Wait) // its rate
		}
	}
	if err := l.Close(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fails([]string{"limits"}, "no worker runs")
	r.introduce("w1", time.Now().Add(-time.Hour), limited(1000), huaweiLimits)
	r.introduce("w2", time.Now().Add(-time.Minute), limited(1000))
	r.spend(40, limited(1000))
	says(t, r.ok("limits"), "box-w1", "box-w2", "500 devices/s", "calls only", "860", "unlimited", "h-1", "well")
	if got := r.ok("limits", "--certificate", "35001"); strings.Contains(got, "h-1") || strings.Contains(got, "warning") {
		t.Errorf("it tells of another certificate, or warns:\n%s", got)
	}
	r.fails([]string{"limits", "--certificate", "nobody"}, "no live worker serves such a certificate")

	var v standing.View
	if err := json.Unmarshal([]byte(r.ok("limits", "-o", "json")), &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Workers) != 2 || v.Workers[0].Name != "w1" || len(v.Certificates) != 2 || v.Certificates[0].Vendor != "oppo" {
		t.Fatalf("%+v", v)
	}
	public := v.Certificates[0].Classes[1]
	if public.Name != "public" || public.DeviceCap != 2 || public.Quota != 1000 || public.Normal.Used != 40 || public.Normal.Left != 860 || public.Urgent.Left != 100 {
		t.Errorf("public: %+v, %+v, %+v", public, public.Normal, public.Urgent)
	}

	r.introduce("w2", time.Now(), limited(2000))
	says(t, r.ok("limits"), "warning: workers w1 and w2 are configured with different limits for 35001", "1800")
}

// A parked certificate says which worker found out what, in the vendor's own words.
func TestLimitsOfAParkedCertificate(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.introduce("w1", time.Now(), limited(1000))
	r.note(parking.Room, "35001", parking.Note{Reason: "bad_credentials", Code: "14", Error: "invalid app_key", Since: time.Now().Add(-5 * time.Minute), Worker: "w1"})
	says(t, r.ok("limits"), "parked, bad_credentials", "bad_credentials, code 14, invalid app_key", "worker w1 on box-w1", "5m ago", "Key, secret, certificate or permission is wrong")
	says(t, r.ok("limits", "-o", "json"), `"parked":{"reason":"bad_credentials","code":"14","error":"invalid app_key"`, `"host":"box-w1"`)
}

// A kind of pushes that is parked stands beside its certificate, which goes on.
func TestLimitsOfAParkedKind(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.introduce("w1", time.Now(), limited(1000))
	note := parking.Note{Reason: "bad_credentials", Code: "10041", Error: "the template check refused the message", Since: time.Now().Add(-5 * time.Minute), Worker: "w1"}
	r.note(parking.Room, parking.KindKey("35001", vendors.KindGroup), note)
	note.Over = time.Now()
	r.note(parking.Room, parking.KindKey("35001", vendors.KindCall), note)
	got := r.ok("limits")
	says(t, got, "parked for group", "35001 is parked for pushes of kind group", "bad_credentials, code 10041", "worker w1 on box-w1", "the others go on", "Mend the channel or template")
	if strings.Contains(got, "kind call") || strings.Contains(got, "35001 is parked since") {
		t.Errorf("more is parked than the kind:\n%s", got)
	}
	says(t, r.ok("limits", "-o", "json"), `"parked_kinds":{"group":{"reason":"bad_credentials","code":"10041"`)
}

// A quota that will not last says when it ends, by the hours that the workers noted.
func TestLimitsThatWillNotLast(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.introduce("w1", time.Now(), limited(1000)) // 900 for all, at 50 an hour until noon and 800 by then
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	y, m, d := time.Now().In(shanghai).Date()
	noon := time.Date(y, m, d, 12, 0, 0, 0, shanghai)
	r.ahead = time.Until(noon)
	var hours []string
	for h := range 24 {
		hours = append(hours, strconv.Itoa(50*(h+1)))
	}
	for day := range 3 {
		key := "usage.35001.public.normal." + noon.AddDate(0, 0, -1-day).Format("20060102")
		if err := r.bus.LimitStore().Put(t.Context(), key, []byte(`{"used":[`+strings.Join(hours, ",")+`]}`), time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	r.spend(800, limited(1000))
	says(t, r.ok("limits"), "35001: public on oppo ends at "+noon.Add(90*time.Minute).Local().Format("2006-01-02 15:"), "800 of 900 are used; by the hours of the last 3 days the day comes to 1600.")
	says(t, r.ok("limits", "-o", "json"), `"forecast":{"ends_at":"`+noon.Add(90*time.Minute).UTC().Format("2006-01-02T15:"), `"total":1600,"days":3}`)
	r.ok("limits", "set", "--certificate", "35001", "--class", "public", "--quota", "2000", "--reason", "granted")
	if text := r.ok("limits"); strings.Contains(text, "ends at") {
		t.Errorf("a quota that lasts is said to end:\n%s", text)
	}
}

func TestLimitOrders(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.introduce("w1", time.Now(), limited(1000), huaweiLimits)
	r.spend(30, limited(1000))
	left := func(class int) int64 {
		t.Helper()
		var v standing.View
		if err := json.Unmarshal([]byte(r.ok("limits", "-o", "json")), &v); err != nil {
			t.Fatal(err)
		}
		return v.Certificates[0].Classes[class].Normal.Left
	}
	order := func(args ...string) []string {
		return append([]string{"limits", args[0], "--certificate", "35001", "--reason", "ticket 4711", "--by", "Olga"}, args[1:]...)
	}
	says(t, r.ok(order("set", "--class", "public", "--quota", "100")...), "35001 public: the quota is 100", "two seconds")
	if got := left(1); got != 60 { // 90 of 100, less 30
		t.Errorf("%d are left after set", got)
	}
	says(t, r.ok("limits"), "changed by an operator", "set to 100 instead of 1000 by Olga", "ticket 4711")
	r.ok(order("reset", "--class", "public")...)
	if got := left(1); got != 90 {
		t.Errorf("%d are left after reset", got)
	}
	r.ok(order("drop-override", "--class", "public")...)
	if got := left(1); got != 870 {
		t.Errorf("%d are left after drop-override", got)
	}
	r.ok(order("set", "--class", "private", "--quota", "5000", "--until", "72h")...)
	says(t, r.ok(order("set", "--class", "private", "--quota", "unlimited", "-o", "json")...), `"action":"set_quota"`, `"by":"Olga"`, `"reason":"ticket 4711"`)

	// The vendor's words, as a worker would have noted them.
	limits := r.bus.LimitStore()
	for key, value := range map[string]string{
		"state.spent.35001.public": `{"until":"` + time.Now().Add(time.Hour).UTC().Format(time.RFC3339) + `"}`, "state.slow.35001": `{"from":500,"rate":250,"n":1}`,
	} {
		if err := limits.Put(t.Context(), key, []byte(value), time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	says(t, r.ok("limits"), "spent, says the vendor", "Nothing is sent until", "slowed by the vendor", `said "too fast"`)
	r.ok(order("resume-quota", "--class", "public")...)
	r.ok(order("resume-rate")...)
	if got := r.ok("limits"); strings.Contains(got, "says the vendor") || strings.Contains(got, "slowed") {
		t.Errorf("the vendor's word is still there:\n%s", got)
	}
	// A certificate with one class needs no --class.
	says(t, r.ok("limits", "set", "--certificate", "h-1", "--quota", "7", "--reason", "a test"), "h-1 communication: the quota is 7")

	r.misused([]string{"limits", "reset", "--certificate", "35001", "--class", "public"}, "reason")
	r.misused([]string{"limits", "reset", "--certificate", "35001", "--class", "public", "--reason", " "}, "--reason is empty")
	r.misused(order("reset", "--class", "secret"), `--class is "secret"`, "private, public")
	r.misused(order("reset"), `--class is ""`, "private, public")
	r.fails(order("set", "--class", "public", "--quota", "many"), "--quota", "unlimited")
	r.misused(order("set", "--class", "public", "--quota", "1", "--until", "yesterday"), `--until is "yesterday"`)
	r.fails([]string{"limits", "resume-rate", "--certificate", "nobody", "--reason", "x"}, `no live worker serves certificate "nobody"`)
}
