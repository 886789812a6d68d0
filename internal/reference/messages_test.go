package reference

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
)

var (
	block = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```")
	// published is a command of the nats tool that publishes: flags, subject, flags, body.
	published = regexp.MustCompile(`(?s)\bnats (?:--server \S+ )?(?:pub|req)((?: (?:-J|(?:-H |--header=)\S+))*) (\S+)((?: (?:-H |--header=)\S+)*) '(.*?)'(?:\n|$)`)
	msgID     = regexp.MustCompile(`Nats-Msg-Id:(\S+)`)
	subject   = regexp.MustCompile(`\bpush\.(?:message|urgent|signal|user|gateway|outcome|dead)\.[A-Za-z0-9_%.*<>-]+`)
)

// typed is the time at which a command is typed, in the shell's words.
const typed = "'$(date -u +%FT%TZ)'"

// published are the commands and JSON lines that a page shows.
func examplesOf(t *testing.T, page string) (commands [][]string, lines []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", page))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range block.FindAllStringSubmatch(string(text), -1) {
		switch m[1] {
		case "sh":
			// A fixed time is past when a reader tries the command, and the message has expired.
			if fixed := regexp.MustCompile(`"(sent_at|at)":"\d[^"]*"`).FindString(m[2]); fixed != "" {
				t.Errorf("%s: a command says %s, want the time at which it is typed: %s", page, fixed, typed)
			}
			script := strings.ReplaceAll(strings.ReplaceAll(m[2], "\\\n", ""), typed, "2026-11-23T08:00:00Z")
			found := published.FindAllStringSubmatch(regexp.MustCompile(` {2,}'`).ReplaceAllString(script, " '"), -1)
			if want := len(regexp.MustCompile(`\bnats (--server \S+ )?(pub|req)\b`).FindAllString(script, -1)); len(found) != want {
				t.Errorf("%s: %d of %d commands were understood in\n%s", page, len(found), want, m[2])
			}
			commands = append(commands, found...)
		case "json":
			lines = append(lines, strings.Split(strings.TrimSpace(m[2]), "\n")...)
		}
	}
	return commands, lines
}

// TestExamplesOfMessages reads every example of the pages as a worker would: it is taken, and
// nothing needs repair.
func TestExamplesOfMessages(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	for _, page := range []string{"docs/messages.md", "docs/messages.zh-CN.md", "README.md", "README.zh-CN.md", "docs/publisher.md", "docs/publisher.zh-CN.md", "docs/backend.md", "docs/backend.zh-CN.md"} {
		commands, lines := examplesOf(t, page)
		kinds, contents := map[hongyan.Kind]int{}, map[hongyan.ContentType]int{}
		for _, c := range commands {
			where, flags, body := c[2], c[1]+c[3], c[4]
			s, err := hongyan.Subjects{}.Parse(where)
			if err != nil {
				t.Errorf("%s: %s: %v", page, where, err)
				continue
			}
			kinds[s.Kind]++
			if m := take(t, page, s.Kind, body, now); m != nil {
				contents[m.Content.Type]++
				if id := msgID.FindStringSubmatch(flags); id == nil || id[1] != s.App+"/"+m.ID {
					t.Errorf("%s: message %s has Nats-Msg-Id %q, want %s/%s", page, m.ID, id, s.App, m.ID)
				}
			}
		}
		for _, line := range lines {
			kind := hongyan.KindSignal
			if strings.Contains(line, `"devices"`) {
				kind = hongyan.KindOutcome
			}
			take(t, page, kind, line, now)
		}
		if !strings.HasPrefix(page, "docs/messages") {
			continue
		}
		for _, kind := range hongyan.Kinds {
			if kind != hongyan.KindJob && kind != hongyan.KindDead && kind != hongyan.KindOutcome && kind != hongyan.KindPiece && kind != hongyan.KindMark && kinds[kind] == 0 {
				t.Errorf("%s has no example of a %s", page, kind)
			}
		}
		for _, content := range hongyan.ContentTypes {
			if contents[content] == 0 {
				t.Errorf("%s has no example of a content of type %s", page, content)
			}
		}
	}
}

// take reads an example and complains of what a worker would not take as it is.
func take(t *testing.T, page string, kind hongyan.Kind, body string, now time.Time) (m *hongyan.Message) {
	t.Helper()
	var repairs hongyan.Repairs
	var err error
	data := []byte(body)
	switch kind {
	case hongyan.KindMessage, hongyan.KindUrgent:
		m, repairs, err = hongyan.ParseMessage(data, now)
	case hongyan.KindSignal:
		_, repairs, err = hongyan.ParseSignal(data, now)
	case hongyan.KindDevice:
		if body != "" { // a removal
			_, repairs, err = hongyan.ParseDevice(data, now)
		}
	case hongyan.KindPresence:
		_, repairs, err = hongyan.ParsePresence(data, now)
	case hongyan.KindSettings:
		_, repairs, err = hongyan.ParseSettings(data, nil)
	case hongyan.KindGateway:
		_, repairs, err = hongyan.ParseLease(data)
	case hongyan.KindOutcome:
		var outcomes []hongyan.Outcome
		outcomes, err = hongyan.ParseOutcomes(data)
		for _, o := range outcomes {
			for _, d := range o.Devices {
				if !o.Status.Known() || !d.Reason.Known() {
					t.Errorf("%s: no status %s, or no reason %s", page, o.Status, d.Reason)
				}
			}
		}
	default:
		t.Errorf("%s: nobody publishes a %s", page, kind)
	}
	if err != nil || len(repairs) > 0 {
		t.Errorf("%s: a worker would not take this as it is: %v %v\n%s", page, err, repairs, body)
	}
	if err != nil {
		return nil
	}
	return m
}

// TestSubjectsOfPages: each subject that a page names is one of the grammar's, once its gaps are
// filled in.
func TestSubjectsOfPages(t *testing.T) {
	t.Parallel()
	fill := strings.NewReplacer("<status>", "accepted", "<partition>", "7", "<reason>", "malformed", "<app>", "a", "<user>", "u", "<device>", "d",
		"<gateway>", "g", "<vendor>", "oppo", "<certificate>", "c")
	found := 0
	for _, page := range []string{"docs/messages.md", "docs/messages.zh-CN.md", "README.md", "README.zh-CN.md", "docs/publisher.md", "docs/publisher.zh-CN.md", "docs/backend.md", "docs/backend.zh-CN.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", page))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range subject.FindAllString(string(text), -1) {
			s = fill.Replace(strings.TrimRight(s, "."))
			if strings.HasSuffix(s, ">") { // a filter
				s = strings.TrimSuffix(s, ">") + "accepted.7"
			}
			if kind, rest, _ := strings.Cut(strings.TrimPrefix(s, "push."), "."); kind == "outcome" {
				s = "push.outcome." + strings.NewReplacer(".*.", ".accepted.", ".*", ".7").Replace(rest)
			}
			if s == "push.dead.accepted.7" {
				continue
			}
			found++
			if _, err := (hongyan.Subjects{}).Parse(s); err != nil {
				t.Errorf("%s: %s: %v", page, s, err)
			}
		}
	}
	if found < 50 {
		t.Errorf("%d subjects found, so they are looked for in the wrong place", found)
	}
	if hongyan.Partition("bob") != 0 {
		t.Error("the pages say that bob is in partition 0")
	}
}

// TestAllIsWritten: each suppression that the pages list is one that the pipeline writes.
func TestAllIsWritten(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	var names []string
	for _, dir := range []string{".", "route", "send", "store", "replay"} {
		some, err := filepath.Glob(filepath.Join("..", "dispatch", dir, "*.go"))
		if err != nil || len(some) == 0 {
			t.Fatalf("no sources of the pipeline in %s: %v", dir, err)
		}
		names = append(names, some...)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "hongyan" {
					used[sel.Sel.Name] = true
				}
			}
			return true
		})
	}
	w, err := readWire(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	for _, term := range w.reasons {
		if hongyan.Reason(term.word).Suppresses() && !used[term.name] {
			t.Errorf("%s is written nowhere", term.name)
		}
	}
}
