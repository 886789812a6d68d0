package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

const byteOrderMark = "\ufeff"

// lineReader reads a text line by line. A byte-order mark at its beginning is skipped.
type lineReader struct {
	in   *bufio.Reader
	line int   // the number of the line that was read last, from 1
	read int64 // the bytes read until now
}

// readLines reads lines of fewer than most bytes.
func readLines(in io.Reader, most int) *lineReader {
	return &lineReader{in: bufio.NewReaderSize(in, most)}
}

// next reads the next line and takes the white space around it away. The line holds until the next
// call. One that is too long is read past. The error is io.EOF at the end of the text.
func (l *lineReader) next() (line []byte, tooLong bool, err error) {
	line, err = l.in.ReadSlice('\n')
	n := len(line)
	for errors.Is(err, bufio.ErrBufferFull) {
		tooLong = true
		var rest []byte
		rest, err = l.in.ReadSlice('\n')
		n += len(rest)
	}
	l.read += int64(n)
	switch {
	case errors.Is(err, io.EOF) && n > 0: // the last line has no end
	case err != nil:
		return nil, false, err
	}
	l.line++
	if tooLong {
		return nil, true, nil
	}
	if l.line == 1 {
		line = bytes.TrimPrefix(line, []byte(byteOrderMark))
	}
	return bytes.TrimSpace(line), false, nil
}
