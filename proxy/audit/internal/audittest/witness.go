package audittest

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
)

// WitnessKey signs as a witness that belongs to the tests.
var WitnessKey = KeyFrom("w")

// Witness returns the public key that belongs to WitnessKey.
func Witness() audit.WitnessKey {
	return audit.WitnessKey{Name: "liar.example", Key: WitnessKey.Public().(ed25519.PublicKey)}
}

// Cosign returns a signature line by key under the name of Witness.
func Cosign(key ed25519.PrivateKey, text string) string {
	at := time.Now().Unix()
	sig := append(bytes.Clone(Witness().KeyHash()), binary.BigEndian.AppendUint64(nil, uint64(at))...)
	sig = append(sig, ed25519.Sign(key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at, text))...)
	return audit.SignaturePrefix + "liar.example " + base64.StdEncoding.EncodeToString(sig) + "\n"
}

var c2sp struct {
	once sync.Once
	path string
	err  error
}

// BuildC2SP builds testdata/c2sp, which holds other people's witness and client,
// once in a process, and returns the path of the program.
func BuildC2SP(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds other people's code")
	}
	c2sp.once.Do(func() {
		_, here, _, _ := runtime.Caller(0)
		c2sp.path = filepath.Join(os.TempDir(), fmt.Sprintf("byline-c2sp-%d", os.Getpid()))
		cmd := exec.Command("go", "build", "-o", c2sp.path, ".")
		cmd.Dir = filepath.Join(filepath.Dir(here), "..", "..", "testdata", "c2sp")
		if out, err := cmd.CombinedOutput(); err != nil {
			c2sp.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	if c2sp.err != nil {
		t.Fatal(c2sp.err)
	}
	return c2sp.path
}

// RemoveC2SP removes the program that BuildC2SP built, if it did.
func RemoveC2SP() {
	if c2sp.path != "" {
		os.Remove(c2sp.path)
	}
}
