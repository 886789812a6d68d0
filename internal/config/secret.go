package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"

	"github.com/goccy/go-yaml/ast"

	"github.com/hongyan-im/hongyan/internal/secretfile"
)

// secretFile reads a secret from the file that a value names: one line, or a whole document such as
// a key in PEM.
func (b *binder) secretFile(node ast.Node, v reflect.Value, key string, document bool) {
	name, ok := b.text(node, key)
	if !ok {
		return
	}
	if name == "" {
		b.problem(node, key, "is empty", "name the file that holds the secret")
		return
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(b.dir, name)
	}
	data, err := b.files.read(name)
	switch {
	case errors.Is(err, os.ErrNotExist):
		b.problem(node, key, "names a file that does not exist: "+name, "create it, or correct the path")
		return
	case err != nil:
		b.problem(node, key, "names a file that cannot be read: "+err.Error(), "give the worker's user the right to read it")
		return
	}
	read := secretfile.Line
	if document {
		read = secretfile.Document
	}
	secret, wrong := read(data)
	if wrong != nil {
		b.problem(node, key, "names a file that "+wrong.Problem+": "+name, wrong.Remedy)
		return
	}
	v.SetString(secret)
	if readableByAll(name) {
		b.warn(node, key, "names a file that everybody on this machine can read: "+name, "chmod 640 it (defaultMode: 0440 in Kubernetes)")
	}
}

// readableByAll says whether every user of the machine may read a file. A group may: containers run
// that way.
func readableByAll(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o004 != 0 && runtime.GOOS != "windows"
}
