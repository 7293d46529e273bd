package certs

import (
	"bytes"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
)

func TestBundleHoldsTheSystemsRootsAndByline(t *testing.T) {
	a := newAuthority(t)
	systemRoot := newAuthority(t).RootPEM()
	systemFile := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(systemFile, bytes.TrimRight(systemRoot, "\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	both, err := bundle([]string{"/nonexistent", systemFile}, a.RootPEM())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(both, systemRoot) || !bytes.HasSuffix(both, a.RootPEM()) {
		t.Error("the bundle is not the system's root followed by Byline's")
	}
	blocks := 0
	for rest := both; ; blocks++ {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			break
		}
	}
	if blocks != 2 {
		t.Errorf("the bundle holds %d certificates, want 2", blocks)
	}

	only, err := a.Bundle(false)
	if err != nil || !bytes.Equal(only, a.RootPEM()) {
		t.Errorf("the bundle without the system's roots is not Byline's root (error: %v)", err)
	}
	if _, err := bundle(nil, a.RootPEM()); err == nil {
		t.Error("bundle succeeded without any file of system roots")
	}
}
