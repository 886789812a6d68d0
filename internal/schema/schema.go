// Package schema holds the JSON Schemas (draft 2020-12) of the wire types and of the worker's
// configuration. The files are generated (`make generate`), see package reference.
package schema

import "embed"

//go:embed *.json
var files embed.FS

// Kinds lists the wire types that have a schema.
var Kinds = [...]string{"message", "device", "presence", "settings", "signal", "lease", "outcome"}

// Wire returns the schema of a wire type, one of [Kinds].
func Wire(kind string) ([]byte, error) { return files.ReadFile(kind + ".json") }

// Config returns the schema of the worker's configuration.
func Config() ([]byte, error) { return files.ReadFile("config.json") }
