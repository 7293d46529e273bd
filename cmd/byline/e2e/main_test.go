// Package e2e shows the real program, as a process, in front of real
// applications.
package e2e

import (
	"os"
	"testing"

	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }
