package main

import (
	"net"
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/byline-proxy/byline/cmd/byline/demo"
)

// TestServerScripts runs scripts that start a server. Tickets listens at $TICKETS; its
// session of alice is in $TICKETS_SESSION. Two commands are added:
//
//	configure   adapts what byline init wrote to free ports and to Tickets
//	await       waits until the server in this folder accepts connections
func TestServerScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/server",
		Setup: func(env *testscript.Env) error {
			app, err := demo.Start(ticketsPasswords)
			if err != nil {
				return err
			}
			env.Defer(func() { _ = app.Close() })
			h := &demo.Installation{Dir: env.WorkDir, App: app}
			env.Values["installation"] = h

			cookie, err := app.Login("alice", ticketsPasswords["alice"])
			if err != nil {
				return err
			}
			env.Setenv("TICKETS", app.Addr())
			env.Setenv(demo.CookieVar, cookie)
			env.Setenv("XDG_RUNTIME_DIR", "") // that of this machine must not matter
			return os.WriteFile(h.Path("acme-ca.pem"), app.CA(), 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"configure": func(ts *testscript.TestScript, _ bool, _ []string) {
				ts.Check(ts.Value("installation").(*demo.Installation).Configure())
			},
			"await": func(ts *testscript.TestScript, _ bool, _ []string) {
				awaitSocket(ts, ts.MkAbs("data/control.sock"))
			},
		},
	})
}

func awaitSocket(ts *testscript.TestScript, path string) {
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("unix", path)
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("no server accepts connections at %s: %v", path, err)
		}
	}
}
