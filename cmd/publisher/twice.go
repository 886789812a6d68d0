package main

import (
	"crypto/sha256"
	"io"
	"os"
)

// twice is a text that can be read from its beginning more than once.
type twice struct {
	in    io.ReadSeeker
	start int64
	size  int64
	copy  *os.File // nil where the text is read where it is
}

// openTwice makes in readable more than once: as it is where it can go back, else by a copy in a
// temporary file of a folder, the system's where that is empty. Only this user can read it, and it
// is gone after close.
func openTwice(in io.Reader, dir string) (*twice, error) {
	t := &twice{}
	var err error
	if t.in, _ = in.(io.ReadSeeker); t.in != nil {
		if t.start, err = t.in.Seek(0, io.SeekCurrent); err == nil {
			return t, t.measure()
		}
	}
	if t.copy, err = os.CreateTemp(dir, "hongyan-*.jsonl"); err != nil {
		return nil, err
	}
	t.in = t.copy
	if _, err = io.Copy(t.copy, in); err == nil {
		err = t.measure()
	}
	if err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

func (t *twice) measure() error {
	end, err := t.in.Seek(0, io.SeekEnd)
	t.size = end - t.start
	return err
}

// rewind goes back to the beginning.
func (t *twice) rewind() error {
	_, err := t.in.Seek(t.start, io.SeekStart)
	return err
}

// close removes the copy.
func (t *twice) close() {
	if t.copy != nil {
		_ = t.copy.Close() // it is of no use any more
		_ = os.Remove(t.copy.Name())
	}
}

// lastLines are the last lines about something, by a hash of what that is.
type lastLines map[[16]byte]int

func hashOf(about string) [16]byte {
	sum := sha256.Sum256([]byte(about))
	return [16]byte(sum[:16])
}

// note notes that a line, which is later than all that were noted, is about some things.
func (l lastLines) note(line int, about []string) {
	for _, a := range about {
		l[hashOf(a)] = line
	}
}

// after says whether a later line was noted that is about one of the things.
func (l lastLines) after(line int, about []string) bool {
	for _, a := range about {
		if l[hashOf(a)] > line {
			return true
		}
	}
	return false
}
