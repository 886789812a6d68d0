package standing

import (
	"cmp"
	"strconv"
	"time"

	"github.com/hongyan-im/hongyan/internal/explain"
	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Fact is something that is in a certificate's way: a line that says what, and lines about it and
// what to do.
type Fact struct {
	What string   `json:"what"`
	More []string `json:"more,omitempty"`
}

var (
	textMendKind = explain.Say("Mend the channel or template of this kind in the configuration, which the workers load by themselves, or in the vendor's console.",
		"在配置（worker 会自行载入）或厂商控制台里改正这一类的渠道或模板。")
	textParked     = explain.Say("%s is parked since %s (%s): %s", "%s 自 %s 起停用（%s）：%s")
	textParkedKind = explain.Say("%[1]s is parked for pushes of kind %[5]s since %[2]s (%[3]s): %[4]s", "%[1]s 的 %[5]s 类推送自 %[2]s 起停用（%[3]s）：%[4]s")
	textFound      = explain.Say("found by worker %s%s", "由 worker %s%s 发现")
	textMeans      = explain.Say("By %s the vendor means: %s", "厂商的 %s 意思是：%s")
	textOn         = explain.Say(" on ", "，主机 ")
	textJobsWait   = explain.Say("Its jobs wait and use no attempts. One push probes from time to time; when the vendor takes it, all go on.", "它的任务等待，不计尝试次数。不时有一条推送去试探；厂商接受后全部继续。")
	textKindWaits  = explain.Say("They wait and use no attempts; the others go on. One push probes from time to time.", "这类任务等待，不计尝试次数；其他照常。不时有一条推送去试探。")
	textHeld       = explain.Say("%s%s is held by %s since %s (%s): %s", "%s%s 自 %[4]s（%[5]s）起由%[3]s手动扣住：%[6]s")
	textWholeApp   = explain.Say(", with all of app %s,", "（连同应用 %s 的全部）")
	textHeldWaits  = explain.Say("Nothing is pushed through it; its jobs wait, and end as expired when their time is over.", "不经它推送任何东西；它的任务等待，到期的以 expired 结束。")
	textRelease    = explain.Say("\"%s\" lets them go.", "「%s」放行。")
	textNoReason   = explain.Say("no reason was given", "没有说明原因")
	textPaused     = explain.Say("%s is paused until %s: the vendor gave a Retry-After. \"publisher limits resume-rate\" ends it.", "%s 暂停到 %s：厂商给了 Retry-After。「publisher limits resume-rate」可结束暂停。")
	textSlowed     = explain.Say("%s is slowed: the vendor said \"too fast\". The rate grows back by itself; \"publisher limits resume-rate\" gives it back at once.", "%s 已减速：厂商说「太快」。速率会自己恢复；「publisher limits resume-rate」立即恢复。")
	textSpent      = explain.Say("%s %s: the vendor says that the quota is spent. Nothing is sent until %s, then one push tries.", "%s %s：厂商称配额已用完。%s 之前什么也不发，之后先试一条。")
	textCompare    = explain.Say("Compare \"used\" with the vendor's console: is there another sender, or a lower quota? \"publisher limits resume-quota\" lets it go on.",
		"将已用量与厂商控制台对比：是否另有发送方，或配额更低？「publisher limits resume-quota」让它继续。")
	textUsedUp = explain.Say("%s %s: our count has used up the day's quota of %s. It goes on at %s; \"publisher limits set\" changes the quota.",
		"%s %s：按我们的计数，当天配额 %s 已用完。%s 起继续；「publisher limits set」可修改配额。")
	textEnds      = explain.Say("%s: %s on %s%s ends at %s (%s). %d of %d are used; %s the day comes to %d.", "%s：%s 的配额（%s）%s将于 %s（%s）用完。已用 %d，共 %d；%s，当天会到 %d。")
	textCallsOnly = explain.Say(", what only calls may use,", "中只供通话的部分")
	textBySpeed   = explain.Say("by the speed of the last two hours", "按最近两小时的速度")
	textByDay     = explain.Say("by the hours of the day before", "按前一天各小时的用量")
	textByDays    = explain.Say("by the hours of the last %d days", "按前 %d 天各小时的用量")
	textAfterEnd  = explain.Say("What comes after that waits for %s or dies as quota_spent; \"publisher limits set\" gives more where the vendor grants it.",
		"之后的推送等到 %s，或以 quota_spent 作废；厂商同意提高时，用「publisher limits set」提高。")
	textChanged   = explain.Say("%s %s: %s by %s %s, until %s: %s", "%[1]s %[2]s：%[4]s 于%[5]s%[3]s，有效至 %[6]s：%[7]s")
	textReset     = explain.Say("today's count was reset", "把今天的计数清零")
	textQuotaSet  = explain.Say("the quota was set to %s instead of %s", "把配额设为 %s（原为 %s）")
	textAndReset  = explain.Say(" and today's count reset", "，并把今天的计数清零")
	textSomebody  = explain.Say("somebody", "某人")
	textUnlimited = explain.Say("unlimited", "不限")
	textCode      = explain.Say(", code ", "，码 ")
	textThen      = explain.Say(", ", "，")
)

// facts are what is in the certificate's way, with what to do about it. A value in them, such as
// the vendor's own words, may hold anything.
func (c *Certificate) facts(now time.Time, l explain.Language) (facts []Fact) {
	parked := func(p *Parked, text, wait explain.Text, kind ...any) {
		values := append([]any{c.ID, explain.When(p.Since), explain.Ago(now, p.Since, l), said(p, l)}, kind...)
		host := ""
		if p.Host != "" {
			host = textOn.In(l) + p.Host
		}
		more := []string{textFound.Format(l, p.Worker, host), wait.In(l)}
		if p.Meaning != "" && p.Meaning != p.Error {
			more = append(more, textMeans.Format(l, p.Code, p.Meaning))
		}
		facts = append(facts, Fact{text.Format(l, values...), append(more, p.Advice)})
	}
	if h := c.Held; h != nil {
		of := ""
		if h.App != "" {
			of = textWholeApp.Format(l, h.App)
		}
		facts = append(facts, Fact{
			textHeld.Format(l, c.ID, of, cmp.Or(h.By, textSomebody.In(l)), explain.When(h.At), explain.Ago(now, h.At, l), cmp.Or(h.Reason, textNoReason.In(l))),
			[]string{textHeldWaits.In(l), textRelease.Format(l, h.Release())},
		})
	}
	if c.Parked != nil {
		parked(c.Parked, textParked, textJobsWait)
	}
	for _, kind := range c.Kinds() {
		parked(c.ParkedKinds[kind], textParkedKind, textKindWaits, kind)
	}
	if c.PausedUntil.After(now) {
		facts = append(facts, Fact{What: textPaused.Format(l, c.ID, explain.When(c.PausedUntil))})
	} else if c.Slowed() {
		facts = append(facts, Fact{What: textSlowed.Format(l, c.ID)})
	}
	for i := range c.Classes {
		s := &c.Classes[i]
		facts = append(facts, c.forecasts(s, now, l)...)
		switch {
		case s.SpentUntil.After(now):
			facts = append(facts, Fact{textSpent.Format(l, c.ID, s.Name, explain.When(s.SpentUntil)), []string{textCompare.In(l)}})
		case s.Normal != nil && s.Normal.Left == 0 && s.Normal.Leased == 0:
			facts = append(facts, Fact{What: textUsedUp.Format(l, c.ID, s.Name, QuotaText(s.Quota, l), explain.When(s.Ends))})
		}
		if s.Override != nil {
			facts = append(facts, Fact{What: changed(c.ID, s, now, l)})
		}
	}
	return facts
}

// forecasts say when a class's quotas are used up, where that is before its day ends.
func (c *Certificate) forecasts(s *ratelimit.ClassState, now time.Time, l explain.Language) (facts []Fact) {
	if s.SpentUntil.After(now) {
		return nil
	}
	for _, pool := range []struct {
		of string
		*ratelimit.PoolState
	}{{"", s.Normal}, {textCallsOnly.In(l), s.Urgent}} {
		if pool.PoolState == nil || pool.Left <= 0 || pool.Forecast == nil || pool.Forecast.EndsAt.IsZero() {
			continue
		}
		f := pool.Forecast
		by := textBySpeed.In(l)
		if f.Days == 1 {
			by = textByDay.In(l)
		} else if f.Days > 1 {
			by = textByDays.Format(l, f.Days)
		}
		facts = append(facts, Fact{
			textEnds.Format(l, c.ID, s.Name, c.Vendor, pool.of, explain.When(f.EndsAt), explain.Ago(now, f.EndsAt, l), pool.Used, pool.Limit, by, f.Total),
			[]string{textAfterEnd.Format(l, explain.When(s.Ends))},
		})
	}
	return facts
}

// changed says what an operator changed of a class.
func changed(id string, s *ratelimit.ClassState, now time.Time, l explain.Language) string {
	o := s.Override
	what := textReset.In(l)
	if o.Quota != nil {
		what = textQuotaSet.Format(l, QuotaText(vendors.Quota(*o.Quota), l), QuotaText(s.Configured, l))
		if o.Reset {
			what += textAndReset.In(l)
		}
	}
	return textChanged.Format(l, id, s.Name, what, cmp.Or(o.By, textSomebody.In(l)), explain.Ago(now, o.At, l), explain.When(o.Until), o.Reason)
}

// said puts a reason and the vendor's own words together.
func said(p *Parked, l explain.Language) string {
	text := p.Reason
	if p.Code != "" {
		text += textCode.In(l) + p.Code
	}
	if p.Error != "" {
		text += textThen.In(l) + p.Error
	}
	return text
}

// QuotaText is a quota in words.
func QuotaText(q vendors.Quota, l explain.Language) string {
	if q < 0 {
		return textUnlimited.In(l)
	}
	return strconv.FormatInt(int64(q), 10)
}
