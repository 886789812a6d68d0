package main

import (
	"context"
	"io"
	"os"
)

// input is a text that a command reads.
type input struct {
	io.Reader
	// name is what its lines are named by, size how many bytes it has, 0 where that is not known.
	name string
	size int64
	file *os.File // nil for standard input
}

// open opens a file, or standard input for -. What may keep a reader waiting, such as a pipe or a
// terminal, is read until ctx ends.
func (t *tool) open(ctx context.Context, name string) (*input, error) {
	in := &input{Reader: t.in, name: "standard input"}
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		in.Reader, in.name, in.file = f, name, f
	}
	if f, ok := in.Reader.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			in.size = info.Size()
			return in, nil
		}
	}
	in.Reader = &interruptible{ctx: ctx, in: in.Reader}
	return in, nil
}

func (in *input) close() {
	if in.file != nil {
		_ = in.file.Close() // it was only read
	}
}

// interruptible reads until a context ends, also while it waits for something to read. What waits
// then is left behind: nothing can end a read of a terminal, and the program is about to end.
type interruptible struct {
	ctx    context.Context // a Read has none of its own
	in     io.Reader
	buffer [64 << 10]byte // belongs to the read under way
}

// Read implements io.Reader.
func (r *interruptible) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	type result struct {
		n   int
		err error
	}
	read := make(chan result, 1)
	go func() {
		n, err := r.in.Read(r.buffer[:min(len(p), len(r.buffer))])
		read <- result{n, err}
	}()
	select {
	case got := <-read:
		return copy(p, r.buffer[:got.n]), got.err
	case <-r.ctx.Done():
		return 0, r.ctx.Err()
	}
}
