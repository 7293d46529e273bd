package protocols

import (
	"os"
	"testing"

	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }
