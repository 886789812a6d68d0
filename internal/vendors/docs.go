package vendors

import (
	"errors"
	"strconv"
)

// Doc is what docs/vendors.md says about a vendor. It is made from the same tables that the driver
// uses, so that the page cannot contradict the code.
type Doc struct {
	Vendor string    // its name in the configuration
	Name   Bilingual // as people know it
	// Dated is the month in which the facts were gathered, such as "2026-11".
	Dated string
	Links []string
	// Rows are short facts such as {"Devices per call", "1,000"}.
	Rows []Row
	// Classes are the vendor's message classes and the cap of each.
	Classes []ClassRow
	// Codes is the whole code table.
	Codes []Code
	// Refreshes says that the driver is a [Refresher].
	Refreshes bool
	// Setup are the steps in the vendor's console that chat needs, in order.
	Setup []Bilingual
	// Tap says how ext reaches the app. Repeat says what a phone shows when the same push arrives
	// twice, and which field of the request decides that.
	Tap, Repeat Bilingual
	// Example is a certificate in YAML, with ${NAME} for secrets.
	Example string
}

// Bilingual is a sentence in English and Chinese.
type Bilingual struct{ EN, ZH string }

// Both is a sentence in both languages.
func Both(en, zh string) Bilingual { return Bilingual{EN: en, ZH: zh} }

// Row is one fact about a vendor: a row of the table in docs/vendors.md.
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
	// Meaning is in English, in the vendor's own words where they are short.
	Meaning string
	// Uncertain marks a code about which the sources disagree.
	Uncertain bool
}

// Result is what the code means for a push, its meaning as the error.
func (c Code) Result() Result {
	r := Result{Reason: c.Reason, Scope: c.Scope, Doubtful: c.Doubtful, Code: c.Code}
	if c.Reason != Accepted {
		r.Err = errors.New(c.Meaning)
	}
	return r
}

// Table is [Index] with the codes that the configuration adds, which win over the table's. A
// driver uses it for what can stand in the answer to a push, and Index for HTTP statuses and
// logins.
func (c *Common) Table(codes []Code, level string) map[string]Code {
	index := Index(codes, level)
	for code, reason := range c.Codes {
		index[code] = Code{Code: code, Level: level, Reason: reason, Meaning: "as the configuration's codes say"}
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
