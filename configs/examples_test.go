package configs

import (
	"testing"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/policy"
)

func TestExamplesAreValid(t *testing.T) {
	if _, err := adapters.Load([]adapters.Source{{Name: "adapter.example.yaml", Text: ExampleAdapter()}}); err != nil {
		t.Error(err)
	}
	known := &policy.Catalog{Adapters: map[string][]string{}}
	if _, err := policy.Parse([]policy.Source{{Name: "policy.example.cedar", Text: ExamplePolicy()}}, known); err != nil {
		t.Error(err)
	}
}
