// Command natsd is the embedded server as a process of its own, for tests that run many processes:
// in a test with the race detector it would be the slowest of all, and the test is about the
// others.
//
//	natsd <dir> <listen>
//
// It prints its address when clients can connect, and ends with its standard input, so that it does
// not outlive the test.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/hongyan-im/hongyan/internal/natsd"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "natsd:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 3 {
		return errors.New("want a folder and an address to listen on")
	}
	srv, err := natsd.Start(natsd.Options{Dir: os.Args[1], Listen: os.Args[2]})
	if err != nil {
		return err
	}
	fmt.Println(srv.URL())
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, srv.Close())
}
