package e2e

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/byline-proxy/byline/cmd/byline/e2e/apps"
	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
	"github.com/byline-proxy/byline/cmd/byline/e2e/websockettest"
)

// guessingApp prints what its test tells it to, one piece after the other, each only
// after the agent has got the one before.
type guessingApp struct {
	*httptest.Server
	cookie  string
	scripts sync.Map // from the number in the path to a *script
}

// script is what one answer consists of.
type script struct {
	pieces []string
	next   chan struct{} // received from before each piece but the first
}

const guessingAdapter = `name: guess
interim: {reason: "test", owner: secops@acme.test, review_by: 2099-01-01}
hosts: [guess.acme.test]
upstream: {url: "%s"}
cookies: {hold: [sid]}
login:
  kind: form
  steps: [{post: /login, form: {user: "${username}", pass: "${password}"}}]
  success: {status: [302], cookie: sid}
  logout: {steps: [{get: /logout}]}
actions:
  - {name: read, match: {method: [GET, HEAD], path: "/**"}, resource: page, websocket: true}
`

func newGuessingApp(t *testing.T, cookie string) *guessingApp {
	a := &guessingApp{cookie: cookie}
	a.Server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.Close)
	return a
}

func (a *guessingApp) serve(w http.ResponseWriter, r *http.Request) {
	kind, number, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch kind {
	case "login":
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: a.cookie, Path: "/"})
		w.Header().Set("Location", "/")
		w.WriteHeader(http.StatusFound)
		return
	case "logout":
		return
	}

	known, ok := a.scripts.Load(number)
	if !ok {
		http.NotFound(w, r)
		return
	}
	if kind == "socket" {
		known.(*script).serveSocket(w, r)
		return
	}
	known.(*script).servePage(w, r, kind)
}

// servePage prints the pieces. kind names the media type, the framing or the coding.
func (s *script) servePage(w http.ResponseWriter, r *http.Request, kind string) {
	total := 0
	for _, p := range s.pieces {
		total += len(p)
	}

	w.Header().Set("Content-Type", "text/html")
	out, flush := io.Writer(w), w.(http.Flusher).Flush
	switch kind {
	case "events":
		w.Header().Set("Content-Type", "text/event-stream")
	case "download":
		w.Header().Set("Content-Type", "application/octet-stream")
	case "sized":
		w.Header().Set("Content-Length", fmt.Sprint(total))
	case "zipped":
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close()
		out, flush = z, func() { _ = z.Flush(); w.(http.Flusher).Flush() }
	}

	for i, p := range s.pieces {
		if i > 0 && !s.wait(r.Context()) {
			return
		}
		_, _ = io.WriteString(out, p)
		flush()
	}
}

func (s *script) serveSocket(w http.ResponseWriter, r *http.Request) {
	ws, err := websockettest.Accept(w, r)
	if err != nil {
		return
	}
	defer ws.CloseNow()
	for i, p := range s.pieces {
		if i > 0 && !s.wait(r.Context()) {
			return
		}
		_ = ws.Write(r.Context(), websocket.MessageText, []byte(p))
	}
	_ = ws.Close(websocket.StatusNormalClosure, "")
}

func (s *script) wait(ctx context.Context) bool {
	select {
	case <-s.next:
		return true
	case <-ctx.Done():
	case <-time.After(time.Minute):
	}
	return false
}

// guessingRun is one installation in front of a guessingApp.
type guessingRun struct {
	app          *guessingApp
	env          *testenv.Env
	task         *testenv.Task
	agent, http2 *testenv.Agent
}

func startGuessingRun(t *testing.T, password, cookie string) *guessingRun {
	r := &guessingRun{app: newGuessingApp(t, cookie), env: testenv.New(t, "")}
	r.env.WriteFile("adapters.d/guess.yaml", fmt.Sprintf(guessingAdapter, r.app.URL))
	r.env.PutAccount("guess", "agent-01", map[string]string{"username": "agent-01", "password": password})
	r.env.AddSecret("the session", cookie)
	r.env.Start()
	r.task = r.env.CreateTask(testenv.TaskSpec{Allow: []string{"guess:*"}})
	r.agent = r.env.NewAgent(r.task, &apps.App{PublicURL: "https://guess.acme.test"}, nil)
	r.http2 = r.agent.WithHTTP2()
	return r
}

// read gets an answer of the pieces and returns what came before each piece, and in what
// portions. kind is that of servePage, after the protocol.
func (r *guessingRun) read(protocol, kind, number string, pieces []string) (events []string) {
	if kind == "sized" { // Byline waits for short bodies of a known length
		pieces = append([]string{strings.Repeat("0123456789abcde\n", 8<<10)}, pieces...)
	}
	s := &script{pieces, make(chan struct{})}
	r.app.scripts.Store(number, s)
	path := "/" + kind + "/" + number
	switch {
	case kind == "socket":
		return r.readSocket(s, path)
	case protocol == "HTTP/2":
		return r.readHTTP2(s, path)
	}
	return r.readHTTP1(s, path)
}

// readPieces calls read, which returns what came next, until the answer ends. It lets
// the application print the next piece each time as many bytes have come as were
// printed.
func (s *script) readPieces(read func() (string, error)) (events []string) {
	printed, got := len(s.pieces[0]), 0
	left := s.pieces[1:]
	for {
		portion, err := read()
		if portion != "" {
			events = append(events, portion)
		}
		got += len(portion)
		if err != nil {
			return append(events, "end: "+err.Error())
		}
		if got == printed && len(left) > 0 {
			events = append(events, "next")
			printed += len(left[0])
			left = left[1:]
			select {
			case s.next <- struct{}{}:
			case <-time.After(time.Minute):
				return append(events, "the application does not wait")
			}
		}
	}
}

// readHTTP1 reads an answer over a connection of its own, chunk by chunk as Byline
// wrote them.
func (r *guessingRun) readHTTP1(s *script, path string) []string {
	conn, err := r.dialTunnel()
	if err != nil {
		return []string{err.Error()}
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: guess.acme.test\r\n\r\n", path)
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != 200 {
		return []string{fmt.Sprint(resp, err)}
	}

	left := resp.ContentLength
	if left < 0 {
		return s.readPieces(func() (string, error) { return readChunk(in) })
	}
	return mergePortions(s.readPieces(func() (string, error) { // the portions are the kernel's
		if left == 0 {
			return "", io.EOF
		}
		b := make([]byte, min(left, 64<<10))
		n, err := in.Read(b)
		left -= int64(n)
		return string(b[:n]), err
	}))
}

func readChunk(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return "", err
	}
	var size int
	if _, err := fmt.Sscanf(line, "%x", &size); err != nil {
		return "", err
	}
	if size == 0 {
		return "", io.EOF
	}
	b := make([]byte, size+2)
	_, err = io.ReadFull(in, b)
	return string(b[:size]), err
}

// dialTunnel opens a connection to the application through the proxy, over HTTP/1.1.
func (r *guessingRun) dialTunnel() (net.Conn, error) {
	conn, err := net.Dial("tcp", r.env.Listen)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
	credentials := base64.StdEncoding.EncodeToString([]byte(r.task.ID + ":" + r.task.Token))
	fmt.Fprintf(conn, "CONNECT guess.acme.test:443 HTTP/1.1\r\nHost: guess.acme.test:443\r\nProxy-Authorization: Basic %s\r\n\r\n", credentials)
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: "CONNECT"})
	if err == nil && resp.StatusCode != 200 {
		err = errors.New(resp.Status)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return tls.Client(conn, &tls.Config{RootCAs: r.env.Roots(), ServerName: "guess.acme.test", NextProtos: []string{"http/1.1"}}), nil
}

// readHTTP2 reads an answer over HTTP/2, where a library joins frames.
func (r *guessingRun) readHTTP2(s *script, path string) []string {
	resp, err := r.http2.Open(context.Background(), "GET", path, nil)
	if err != nil || resp.StatusCode != 200 || resp.ProtoMajor != 2 {
		return []string{fmt.Sprint(resp, err)}
	}
	defer resp.Body.Close()
	b := make([]byte, 64<<10)
	return mergePortions(s.readPieces(func() (string, error) {
		n, err := resp.Body.Read(b)
		return string(b[:n]), err
	}))
}

// mergePortions joins what came between two pieces.
func mergePortions(events []string) (merged []string) {
	text := ""
	for _, e := range events {
		if e != "next" && !strings.HasPrefix(e, "end: ") {
			text += e
			continue
		}
		merged = append(merged, text, e)
		text = ""
	}
	return merged
}

func (r *guessingRun) readSocket(s *script, path string) []string {
	ws, _, err := websockettest.Dial("https://guess.acme.test"+path, r.agent.Transport(), nil)
	if err != nil {
		return []string{err.Error()}
	}
	defer ws.CloseNow()
	return s.readPieces(func() (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_, text, err := ws.Read(ctx)
		if websocket.CloseStatus(err) == websocket.StatusNormalClosure {
			err = io.EOF
		}
		return string(text), err
	})
}

// guessesOf returns pages that hold the beginnings of a secret, in several spellings,
// cut where an attacker would cut them.
func guessesOf(secret string) (pages [][]string) {
	longest := secret[:7] // a longer one is hard to guess as a whole, and masked
	coded := base64.StdEncoding.EncodeToString([]byte(longest))
	var each, lines, references, percents []string
	for n := 1; n <= len(longest); n++ {
		each = append(each, "<p>"+longest[:n])
		lines = append(lines, "data: "+longest[:n]+"\n\n")
		references = append(references, html4(longest[:n]))
		percents = append(percents, fmt.Sprintf("%%%02x", longest[n-1])[:2], fmt.Sprintf("%02x", longest[n-1])[1:])
	}
	return [][]string{
		each, lines, references, percents,
		strings.Split(longest, ""),
		{longest + "\n" + strings.Repeat("x", 1500), "y\n", longest + "\r", "\n" + strings.Repeat("0123456789\n", 130), "z"},
		{"x" + coded[:6], coded[6:8], "\n", url.QueryEscape(longest), "&#", "99;"},
		{strings.Repeat(longest+"-", 200), longest, "<b", ">", longest[:3]},
	}
}

// html4 writes each character as a reference by number.
func html4(text string) string {
	var b strings.Builder
	for _, c := range text {
		fmt.Fprintf(&b, "&#%d;", c)
	}
	return b.String()
}

// TestI1SizesAndTimesAreEqualUnderTwoSecrets makes an application print what may be the
// beginning of a secret and then wait for the agent. What comes before each piece of
// the page, and in what portions, is the same whether the guess is right or not.
func TestI1SizesAndTimesAreEqualUnderTwoSecrets(t *testing.T) {
	const password, cookie = "q7Xw-93kd_Zp40/mVt62", "f3Kd81-tYx0Pq77-zzRm4"
	runs := [2]*guessingRun{
		startGuessingRun(t, password, cookie),
		startGuessingRun(t, "Hj2m.55vb+Lr18:nUo09", "9sVb20.wAe5Li33.kkTn8"),
	}
	var kinds [][2]string
	for _, kind := range []string{"page", "events", "sized", "zipped", "download"} {
		kinds = append(kinds, [2]string{"HTTP/1.1", kind}, [2]string{"HTTP/2", kind})
	}
	kinds = append(kinds, [2]string{"HTTP/1.1", "socket"})

	var all sync.WaitGroup
	room := make(chan struct{}, 16) // answers at the same time
	for n, pieces := range slices.Concat(guessesOf(password), guessesOf(cookie)) {
		for k, kind := range kinds {
			room <- struct{}{}
			all.Go(func() {
				defer func() { <-room }()
				var got [2][]string
				for i, r := range runs {
					got[i] = r.read(kind[0], kind[1], fmt.Sprint(n*100+k), pieces)
				}
				if !slices.Equal(got[0], got[1]) {
					t.Errorf("page %d as %s over %s: with the secret that is guessed\n%.900q\nwith another\n%.900q", n, kind[1], kind[0], got[0], got[1])
				}
				if last := got[0][len(got[0])-1]; last != "end: EOF" || strings.Contains(fmt.Sprint(got), "*") {
					t.Errorf("page %d as %s over %s: got %.900q, want all of the page, without asterisks", n, kind[1], kind[0], got[0])
				}
			})
		}
	}
	all.Wait()
}
