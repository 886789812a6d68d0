package main

import (
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/registry"
)

// kinds are the vendors that a configuration may name. The list itself stands in package registry,
// where the documentation finds it too.
var kinds = config.Kinds(registry.Kinds())
