package vendors

import (
	"errors"
	"fmt"
	"strconv"
)

// Doc is what docs/vendors/<vendor>.md says about a vendor. It is made from the same tables that
// the driver uses, so that the page cannot contradict the code. In every text "(uncertain)", in
// Chinese "（不确定）", stands behind what sources disagree about or only one of them tells.
type Doc struct {
	Vendor string    // its name in the configuration
	Name   Bilingual // as people know it
	// Dated is the month in which the facts were gathered, such as "2026-11".
	Dated string
	// Phones says which phones the vendor serves. PerCall is how many devices one call takes.
	Phones, PerCall Bilingual
	// Setup are the steps in the vendor's console and in the app that chat needs, in order, for
	// somebody who never saw the console.
	Setup []Bilingual
	// Example is a certificate in YAML, with ${NAME} for secrets.
	Example string
	// Classes are the vendor's message classes and the cap of each, that of chat first.
	Classes []ClassRow
	// Kinds tell how a channel and a template are chosen, by kind of message; nil for a vendor that
	// has neither.
	Kinds []Bilingual
	// Limits are sizes and lifetimes. Rates are speeds, logins and addresses.
	Limits, Rates []Row
	Screen        Screen
	// Calls tells how voice and video calls ring and end, Tap how ext reaches the app, Receipts
	// what a certificate with receipts asks for, and what must be registered in the console for it.
	Calls, Tap, Receipts []Bilingual
	// Traps are mistakes that others made.
	Traps []Bilingual
	// Codes is the whole code table. Levels says in words where the codes of each level stand; nil
	// where there is one level only.
	Codes  []Code
	Levels map[string]Bilingual
	// Sources are the pages that the facts are from.
	Sources []Source
}

// Screen is what a phone shows.
type Screen struct {
	// Repeat is for the same push twice, and which field of the request decides that. CallEnded is
	// for the end of a call over what rang, Collapse for policy.collapse.
	Repeat, CallEnded, Collapse Bilingual
	Group, Badge, Sound, Image  Bilingual
	// Recall is for an accepted push whose message is recalled.
	Recall Bilingual
	// Read is for accepted pushes whose conversation was read on another device.
	Read Bilingual
	// Refreshes says that the driver is a [Refresher].
	Refreshes bool
	// Front is for an app in the foreground, Off for a phone that was off.
	Front, Off Bilingual
}

// Source is a page of the vendor's, or one about it.
type Source struct {
	What Bilingual
	URL  string
	// Dated is the page's own date; empty where it has none.
	Dated string
}

// Bilingual is a text in English and Chinese.
type Bilingual struct{ EN, ZH string }

// Both is a text in both languages.
func Both(en, zh string) Bilingual { return Bilingual{EN: en, ZH: zh} }

// Bothf is a text in both languages with the same values in it, each a format of package fmt.
func Bothf(en, zh string, values ...any) Bilingual {
	return Bilingual{EN: fmt.Sprintf(en, values...), ZH: fmt.Sprintf(zh, values...)}
}

// Row is one fact about a vendor: a row of a table.
type Row struct {
	What  Bilingual
	Value Bilingual
}

// TextRow is a row: what it is about, and its value, in English and Chinese.
func TextRow(en, zh, value, valueZH string) Row {
	return Row{What: Both(en, zh), Value: Both(value, valueZH)}
}

// NumberRow is a row whose value is a number.
func NumberRow(en, zh string, n int) Row { return TextRow(en, zh, strconv.Itoa(n), strconv.Itoa(n)) }

// ClassRow describes a message class.
type ClassRow struct {
	Name  string
	Means Bilingual
	Cap   Bilingual
}

// Code is a code of a vendor's answers and the reason that it means.
type Code struct {
	// Code is written as the vendor writes it. Level tells equal codes in different places of an
	// answer apart ("top", "device"); it is empty where there is only one place.
	Code, Level string
	Reason      Reason
	// Scope says whose fault it is where the code tells more than the reason; see [Result.Scope].
	Scope Scope
	// Doubtful is [Result.Doubtful].
	Doubtful bool
	// Meaning is in the vendor's own words where they are short. Errors say it in English.
	Meaning Bilingual
	// Uncertain marks a code about which the sources disagree.
	Uncertain bool
}

// Result is what the code means for a push, its meaning as the error.
func (c Code) Result() Result {
	r := Result{Reason: c.Reason, Scope: c.Scope, Doubtful: c.Doubtful, Code: c.Code}
	if c.Reason != Accepted {
		r.Err = errors.New(c.Meaning.EN)
	}
	return r
}

// Table is [Index] with the codes that the configuration adds, which win over the table's. A
// driver uses it for what can stand in the answer to a push, and Index for HTTP statuses and
// logins.
func (c *Common) Table(codes []Code, level string) map[string]Code {
	index := Index(codes, level)
	for code, reason := range c.Codes {
		index[code] = Code{Code: code, Level: level, Reason: reason, Meaning: Both("as the configuration's codes say", "按配置中的 codes")}
	}
	return index
}

// Index maps each code of a level to its row of the table. It panics when a code appears twice: the
// table is a constant, so that is a mistake in the program.
func Index(codes []Code, level string) map[string]Code {
	index := make(map[string]Code, len(codes))
	for _, c := range codes {
		if c.Level != level {
			continue
		}
		if _, twice := index[c.Code]; twice {
			panic("vendors: code " + c.Code + " stands twice in its table")
		}
		index[c.Code] = c
	}
	return index
}
