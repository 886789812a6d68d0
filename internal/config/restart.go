package config

import (
	"reflect"
	"strings"
)

// Restart names the keys in which another configuration differs and which only a restart puts in
// force: where NATS is and how its streams are made, where the worker listens, and how it logs.
func (c *Config) Restart(other *Config) []string {
	var keys []string
	differing(&keys, "nats", reflect.ValueOf(c.NATS), reflect.ValueOf(other.NATS))
	differing(&keys, "http", reflect.ValueOf(c.HTTP), reflect.ValueOf(other.HTTP))
	differing(&keys, "log", reflect.ValueOf(c.Log), reflect.ValueOf(other.Log))
	return keys
}

// differing adds the keys of two structs whose values differ.
func differing(keys *[]string, path string, a, b reflect.Value) {
	for i := range a.NumField() {
		name, _, _ := strings.Cut(a.Type().Field(i).Tag.Get("yaml"), ",")
		switch key := join(path, name); {
		case a.Field(i).Kind() == reflect.Struct:
			differing(keys, key, a.Field(i), b.Field(i))
		case !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()):
			*keys = append(*keys, key)
		}
	}
}
