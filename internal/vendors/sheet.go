package vendors

// Sheet is what docs/vendors.md tells of a vendor. It is made from the same tables that the driver
// works by.
type Sheet struct {
	Vendor string // its name in the configuration
	Name   Text   // as people know it
	// Dated is when the facts were gathered, "2026-11".
	Dated string
	Links []string
	// Facts are short rows such as {"Devices per call", "1,000"}.
	Facts []Fact
	// Classes, with the cap that each has.
	Classes []ClassRow
	// Codes is the whole code table.
	Codes []Code
	// Setup are the steps in the vendor's console that chat needs, in order.
	Setup []Text
	// Tap says how ext reaches the app; Repeat what a phone shows when the same push comes twice,
	// and by which field.
	Tap, Repeat Text
	// Example is a certificate in YAML, with ${NAME} for secrets.
	Example string
}

// Text is a sentence in English and Chinese.
type Text struct{ EN, ZH string }

// Fact is a row of a table.
type Fact struct {
	What  Text
	Value Text
}

// ClassRow describes a message class.
type ClassRow struct {
	Name  string
	Means Text
	Cap   Text
}

// Code is a vendor's code and the reason it stands for.
type Code struct {
	// Code as the vendor writes it; Level tells apart equal codes at different places of an answer
	// ("top", "device"), empty otherwise.
	Code, Level string
	Reason      Reason
	// Meaning is in English; the vendors' own words where they are short.
	Meaning string
	// Uncertain marks what the sources disagree on.
	Uncertain bool
}

// Index makes the lookup from a code of a level to its row. It panics on a code that stands twice:
// the table is a constant.
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
