package explain

import (
	_ "embed" // codes.tsv
	"strings"
	"sync"

	"github.com/hongyan-im/hongyan"
)

// table has a line for each code of each vendor: vendor, code, reason, meaning in English and in
// Chinese, with tabs between them. make generate writes it.
//
//go:embed codes.tsv
var table string

// Code is what a vendor means by a code.
type Code struct {
	// Reason is the one that the code gives by itself.
	Reason hongyan.Reason
	// Text is the meaning.
	Text
}

var codes = sync.OnceValue(func() map[[2]string][]Code {
	all := map[[2]string][]Code{}
	for line := range strings.Lines(table) {
		if f := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); len(f) == 5 {
			key := [2]string{f[0], f[1]}
			all[key] = append(all[key], Code{hongyan.Reason(f[2]), Text{f[3], f[4]}})
		}
	}
	return all
})

// Meaning is what a vendor means by a code. A code that stands in several places of an answer has
// several meanings: the one with the reason is taken, or else the first.
func Meaning(vendor, code string, r hongyan.Reason) (c Code, known bool) {
	list := codes()[[2]string{vendor, code}]
	for _, c := range list {
		if c.Reason == r {
			return c, true
		}
	}
	if len(list) == 0 {
		return Code{}, false
	}
	return list[0], true
}
