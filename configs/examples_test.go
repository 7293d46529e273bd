package configs

import (
	"testing"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/policy"
)

func TestExamplesAreValid(t *testing.T) {
	_, err := adapters.Load([]adapters.Source{{Name: "adapter.example.yaml", Text: ExampleAdapter()}})
	if err != nil {
		t.Error(err)
	}
	catalog := &policy.Catalog{Adapters: map[string][]string{}}
	_, err = policy.Parse([]policy.File{{Name: "policy.example.cedar", Text: ExamplePolicy()}}, catalog)
	if err != nil {
		t.Error(err)
	}
}
