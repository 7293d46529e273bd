// Command c2sp runs implementations of the C2SP formats that are not ours. The
// tests compare ours with them. It is a module of its own, so that none of them
// is a dependency of Byline.
//
//	c2sp witness NAME LOG-VKEY   serve transparency-dev/witness; prints its URL and its verifier key
//	c2sp read URL LOG-VKEY       check the tiles at URL with torchwood's client; prints the entries
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"

	"filippo.io/torchwood"
	f_note "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/witness/persistence/inmemory"
	"github.com/transparency-dev/witness/witness"
	"golang.org/x/mod/sumdb/note"
)

func main() {
	err := errors.New("usage: c2sp witness NAME LOG-VKEY | c2sp read URL LOG-VKEY")
	if len(os.Args) == 4 {
		switch os.Args[1] {
		case "witness":
			err = serveWitness(os.Args[2], os.Args[3])
		case "read":
			err = readEntries(os.Args[2], os.Args[3])
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serveWitness serves a witness that knows one log.
func serveWitness(name, logKey string) error {
	skey, vkey, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		return err
	}
	signer, err := f_note.NewSignerForCosignatureV1(skey)
	if err != nil {
		return err
	}
	cosignatureKey, err := f_note.VKeyToCosignatureV1(vkey)
	if err != nil {
		return err
	}
	log, err := note.NewVerifier(logKey)
	if err != nil {
		return err
	}

	w, err := witness.New(context.Background(), witness.Opts{
		Persistence: inmemory.New(),
		Signers:     []note.Signer{signer},
		VerifierForLog: func(_ context.Context, origin string) (note.Verifier, bool, error) {
			return log, origin == log.Name(), nil
		},
	})
	if err != nil {
		return err
	}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n%s\n", listener.Addr(), cosignatureKey)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /add-checkpoint", witness.NewHTTPHandler(w).AddCheckpoint)

	return http.Serve(listener, mux)
}

// readEntries prints every entry under the published checkpoint.
func readEntries(url, logKey string) error {
	log, err := note.NewVerifier(logKey)
	if err != nil {
		return err
	}
	tiles, err := torchwood.NewTileFetcher(url, torchwood.WithTilePath(torchwood.TilePath))
	if err != nil {
		return err
	}

	ctx := context.Background()
	signed, err := tiles.ReadEndpoint(ctx, "checkpoint")
	if err != nil {
		return err
	}
	n, err := note.Open(signed, note.VerifierList(log))
	if err != nil {
		return err
	}
	c, err := torchwood.ParseCheckpoint(n.Text)
	if err != nil {
		return err
	}

	client, err := torchwood.NewClient(tiles)
	if err != nil {
		return err
	}
	next := int64(0)
	for i, entry := range client.Entries(ctx, c.Tree, 0) { // whole bundles, each checked against the tree
		if i != next {
			return fmt.Errorf("entry %d, want %d", i, next)
		}
		fmt.Println(string(entry))
		next++
	}
	if err := client.Err(); err != nil {
		return err
	}

	// The iterator leaves the last, partial bundle to a later checkpoint.
	for ; next < c.N; next++ {
		entry, _, err := client.Entry(ctx, c.Tree, next)
		if err != nil {
			return err
		}
		fmt.Println(string(entry))
	}

	return nil
}
