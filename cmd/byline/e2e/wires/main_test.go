package wires

import (
	"os"
	"testing"

	"github.com/byline-proxy/byline/cmd/byline/e2e/house"
)

func TestMain(m *testing.M) { os.Exit(house.Main(m)) }
