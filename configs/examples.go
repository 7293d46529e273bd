package configs

import (
	_ "embed"
	"slices"
)

//go:embed adapter.example.yaml
var adapter []byte

//go:embed policy.example.cedar
var policies []byte

// ExampleAdapter is the commented adapter that byline init leaves, unread, in
// the folder of adapters.
func ExampleAdapter() []byte { return slices.Clone(adapter) }

// ExamplePolicy is the commented policy that byline init leaves, unread, in
// the folder of policies.
func ExamplePolicy() []byte { return slices.Clone(policies) }
