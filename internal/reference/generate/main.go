// Command generate writes the generated pages of the documentation. Run it from the repository's
// folder, as make generate does.
package main

import (
	"fmt"
	"os"

	"github.com/hongyan-im/hongyan/internal/reference"
)

func main() {
	if err := reference.Write("."); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}
