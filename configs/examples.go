package configs

import (
	_ "embed"
	"slices"
)

//go:embed byline.yaml
var reference []byte

//go:embed adapter.example.yaml
var exampleAdapter []byte

//go:embed policy.example.cedar
var examplePolicy []byte

// Reference returns the byline.yaml that byline init writes: every key with its
// default and a comment.
func Reference() []byte { return slices.Clone(reference) }

// ExampleAdapter returns the commented adapter that byline init puts into the
// adapters' directory, under a name that the server does not read.
func ExampleAdapter() []byte { return slices.Clone(exampleAdapter) }

// ExamplePolicy returns the commented policies that byline init puts into the
// policies' directory, under a name that the server does not read.
func ExamplePolicy() []byte { return slices.Clone(examplePolicy) }
