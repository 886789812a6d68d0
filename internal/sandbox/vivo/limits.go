package vivo

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// trouble answers the faults that are armed for the call, nil without one.
func (f *fake) trouble(token string, classification, devices int) map[string]any {
	fault, struck := f.core.Strike("vivo", token, sandbox.FaultThrottle, sandbox.FaultQuota, sandbox.FaultCode)
	if !struck {
		return nil
	}
	f.core.Refuse("vivo", devices)
	switch fault.Kind {
	case sandbox.FaultThrottle:
		return result(10072, "推送速度过快")
	case sandbox.FaultQuota:
		if classification == 0 {
			return result(10070, "发送总量超出限制")
		}
		return result(10073, "发送总量超出限制")
	}
	code, err := strconv.Atoi(fault.Code)
	if err != nil {
		return map[string]any{"result": fault.Code, "desc": "injected"}
	}
	return result(code, "injected")
}

// policy refuses what the app or the text may not.
func (f *fake) policy(account *Account, m message) map[string]any {
	if m.test {
		return nil
	}
	hour := f.core.Now().In(sandbox.Shanghai).Hour()
	var answer map[string]any
	switch {
	case account.Review:
		answer = result(10045, "应用审核中不可发送正式消息")
	case m.classification == 0 && (hour < 7 || hour >= 23):
		answer = result(10071, "超出发送时间允许范围")
	case testText(m.title) || testText(m.content):
		answer = result(10104, "请发送正式的消息")
	default:
		return nil
	}
	f.core.Refuse("vivo", 1)
	return answer
}

// status is the reason why a device gets nothing, 0 for a good one.
func (f *fake) status(account *Account, token string, test bool) int {
	if test && !slices.Contains(account.TestDevices, token) {
		return 4
	}
	if _, dead := f.core.Dead("vivo", token); dead {
		return 2
	}
	if _, struck := f.core.Strike("vivo", token, sandbox.FaultDeadToken, sandbox.FaultPartial); struck {
		return 1
	}
	return 0
}

// limits spends the second's and the day's share. Test pushes are free.
func (f *fake) limits(account *Account, m message, devices int) map[string]any {
	if m.test {
		return nil
	}
	f.mu.Lock()
	fast := f.app(account.AppID).sends.add(f.core.Now(), devices)
	f.mu.Unlock()
	code, quota, class := 10073, account.SystemQuota, "system"
	if m.classification == 0 {
		code, quota, class = 10070, account.OperationalQuota, "operational"
	}
	switch {
	case account.PerSecond > 0 && fast > account.PerSecond:
		f.core.Refuse("vivo", devices)
		return result(10072, "推送速度过快")
	case quota > 0 && f.spend(account, class, devices) > quota:
		f.core.Refuse("vivo", devices)
		return result(code, "发送总量超出限制")
	}
	return nil
}

// spend counts n more of what today and returns the day's number.
func (f *fake) spend(account *Account, what string, n int) int {
	today := f.core.Now().In(sandbox.Shanghai).Format(time.DateOnly)
	f.mu.Lock()
	defer f.mu.Unlock()
	app := f.app(account.AppID)
	if app.day != today {
		app.day = today
		clear(app.spent)
	}
	app.spent[what] += n
	return app.spent[what]
}

// testText is the rule for formal pushes: not only digits, only Latin letters, only symbols, or
// symbols with digits; no brackets, no braces, no word for "test".
func testText(s string) bool {
	if strings.ContainsAny(s, "[]{}") || strings.Contains(s, "测试") {
		return true
	}
	letters, others := 0, 0
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
		case unicode.Is(unicode.Latin, r):
			letters++
		case unicode.IsLetter(r): // of any other script
			return false
		default:
			others++
		}
	}
	return letters == 0 || others == 0
}
