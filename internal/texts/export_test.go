package texts

// MostFound bounds what a catalogue remembers.
const MostFound = mostFound

// Remembered is how many locales a catalogue remembers.
func Remembered(c *Catalogue) int { return len(*c.found.Load()) }
