package mask

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

// timedChunk is a part of a body that comes after a pause.
type timedChunk struct {
	after time.Duration
	text  string
}

// timedBody is a body that pauses.
type timedBody struct {
	chunks []timedChunk

	// knows says that the body tells whether more of it has arrived.
	knows bool
}

func (b *timedBody) HasArrived() bool { return b.knows && len(b.chunks) > 0 && b.chunks[0].after == 0 }

func (b *timedBody) Read(p []byte) (int, error) {
	if len(b.chunks) == 0 {
		return 0, io.EOF
	}
	c := &b.chunks[0]
	time.Sleep(c.after)
	c.after = 0
	n := copy(p, c.text)
	if c.text = c.text[n:]; c.text == "" {
		b.chunks = b.chunks[1:]
	}
	return n, nil
}

// trace reads a body that is masked for a secret and returns when how much came, and
// what.
func trace(secret string, room int, chunks []timedChunk) (events []string, text string) {
	return traceBody(secret, room, &timedBody{chunks: slices.Clone(chunks)})
}

func traceBody(secret string, room int, body *timedBody) (events []string, text string) {
	r := newMask([]string{secret}).Reader(body)
	start := time.Now()
	var all strings.Builder
	p := make([]byte, room)
	for {
		n, err := r.Read(p)
		all.Write(p[:n])
		if n > 0 {
			events = append(events, fmt.Sprintf("%d bytes after %v", n, time.Since(start)))
		}
		if err != nil {
			return events, all.String()
		}
	}
}

// An agent makes a page hold a guess and then pause: neither sizes nor times tell
// whether the guess is right.
func TestI1SizesAndTimesDoNotDependOnSecrets(t *testing.T) {
	const right = "canary-session-1234567890"
	for name, chunks := range map[string][]timedChunk{
		"a guess, then a pause":      {{0, "<p>can"}, {2 * time.Second, "ary</p>\n"}},
		"a longer guess":             {{0, "<p>canary-s"}, {time.Second, ""}, {time.Second, "essio"}, {time.Second, "n</p>"}},
		"guesses in lines":           {{0, "c\nca\ncan\ncana\ncanar\ncanary\ncanary-\nx"}, {time.Second, "end"}},
		"an escaped guess":           {{0, "x %63%61%6"}, {time.Second, "e%61 and &#99"}, {time.Second, ";&#97;\n"}},
		"base64":                     {{0, "data: Y2FuYX"}, {time.Second, "J5LX\n\n"}, {time.Second, "data: x\n\n"}},
		"a long line":                {{0, strings.Repeat("canary-", 3000)}, {time.Second, strings.Repeat("canary-s ", 3000)}},
		"events":                     {{0, "data: 1\n\n"}, {time.Second, "data: canary-se\n\n"}, {time.Second, "data: 3\n\n"}},
		"a pause inside a line end":  {{0, "canary-s\r"}, {time.Second, "\nession"}},
		"a line, then much":          {{0, "canary-s\n"}, {time.Second, strings.Repeat("0123456789abcde\n", 5000)}},
		"a line, then a long one":    {{0, "canary-s\n"}, {time.Second, strings.Repeat("0123456789abcdef", 5000)}},
		"short chunks with no pause": {{0, "c"}, {time.Millisecond, "a"}, {time.Millisecond, "n"}, {time.Millisecond, "ary"}, {time.Millisecond, "-session"}},
	} {
		for _, room := range []int{7, 600, 32 << 10} {
			synctest.Test(t, func(t *testing.T) {
				want, _ := trace(right, room, chunks)
				for _, other := range []string{"zq9Xk-wholly-other-777777", "short-zz", strings.Repeat("Long-And-Other/", 20), "can\nary", "</p>canary-s"} {
					if got, _ := trace(other, room, chunks); !slices.Equal(got, want) {
						t.Errorf("%s, room for %d bytes: with the secret that is guessed %q, with %q %q", name, room, want, other, got)
					}
				}
			})
		}
	}
}

// chunksAround returns chunks that hold guesses of the beginning of a secret in several
// spellings, line ends, pauses, and stretches of other text that fill buffers.
func chunksAround(random *rand.Rand, secret string) (chunks []timedChunk) {
	for range 2 + random.IntN(6) {
		var text strings.Builder
		for range 1 + random.IntN(4) {
			guess := secret[:random.IntN(8)]
			switch random.IntN(6) {
			case 0:
				text.WriteString(guess)
			case 1:
				for _, c := range guess {
					fmt.Fprintf(&text, "%%%02x", c)
				}
			case 2:
				text.WriteString(base64.RawStdEncoding.EncodeToString([]byte("x" + guess)))
			case 3:
				text.WriteString("<b>" + guess + "<i")
			case 4:
				text.WriteString(strings.Repeat("0123456789abcde\n", random.IntN(4000)) + guess)
			case 5:
				text.WriteString(strings.Repeat("0123456789abcdef", random.IntN(4000)) + guess)
			}
			text.WriteString([]string{"", "\n", "\r\n", "\n\n", " ", "</b>\n"}[random.IntN(6)])
		}
		after := []time.Duration{0, 0, time.Millisecond, 99 * time.Millisecond, time.Second}[random.IntN(5)]
		chunks = append(chunks, timedChunk{after, text.String()})
	}
	return chunks
}

// No mixture of guesses, line ends, pauses and buffers tells whether a guess is right.
func TestI1SizesAndTimesOfRandomGuessesDoNotDependOnSecrets(t *testing.T) {
	const right, other = "canary-session-1234567890", "zq9Xk-wholly-other-777777"
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		chunks := chunksAround(random, right)
		room := []int{100, leastRoom, 5000, 32 << 10}[random.IntN(4)]
		synctest.Test(t, func(t *testing.T) {
			knows := seed%2 == 0
			want, _ := traceBody(right, room, &timedBody{slices.Clone(chunks), knows})
			if got, _ := traceBody(other, room, &timedBody{slices.Clone(chunks), knows}); !slices.Equal(got, want) {
				t.Errorf("seed %d, room for %d bytes: with the secret that is guessed %.300q, with another %.300q", seed, room, want, got)
			}
		})
	}
}

// Nor do they if the application repeats the secret itself.
func TestI1SizesAndTimesOfAnEchoDependOnItsLengthAlone(t *testing.T) {
	echo := func(secret string) []timedChunk {
		return []timedChunk{{0, "<p>" + secret[:4]}, {time.Second, secret[4:] + "</p>"}, {time.Second, secret + "\n" + secret}, {time.Second, "."}}
	}
	synctest.Test(t, func(t *testing.T) {
		want, first := trace("canary-session-1234567890", 4096, echo("canary-session-1234567890"))
		for _, other := range []string{"zq9Xk-wholly-other-777777", "Zo0-TWILIGHT-of-the-gods!", "4f9a81c2d3e4b5a6970011223"} {
			got, text := trace(other, 4096, echo(other))
			if !slices.Equal(got, want) {
				t.Errorf("%q, but with %q %q", want, other, got)
			}
			if strings.Contains(text, other[12:]) || strings.Count(text, "*") != strings.Count(first, "*") {
				t.Errorf("%q and %q", first, text)
			}
		}
	})
}

func TestMaskReaderPassesLinesOnAtOnce(t *testing.T) {
	in, out := io.Pipe()
	defer in.Close()
	r := newMask([]string{"sesame-open"}).Reader(in)
	go func() { _, _ = out.Write([]byte("data: 1\n\n")) }()
	b := make([]byte, 1024)
	if n, err := r.Read(b); err != nil || string(b[:n]) != "data: 1\n\n" {
		t.Fatalf("Read returned %q, %v", b[:n], err)
	}

	broken := newMask([]string{"sesame-open"}).Reader(io.MultiReader(strings.NewReader("a\nsesame-o"), iotest.ErrReader(errors.New("cut"))))
	if got, err := io.ReadAll(broken); err == nil || string(got) != "a\nsesame-o" {
		t.Errorf("a body that breaks off: %q, %v", got, err)
	}
}

func TestMaskReaderPassesOnAnUnfinishedLineAfterAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events, text := trace("sesame-open", 4096, []timedChunk{{0, "working ."}, {time.Second, "."}, {time.Second, "."}})
		want := []string{"9 bytes after 100ms", "1 bytes after 1.1s", "1 bytes after 2s"}
		if !slices.Equal(events, want) || text != "working ..." {
			t.Errorf("%q came as %q, want %q", text, events, want)
		}
	})
}

// A secret that a pause or the end of a line cuts in two is masked up to the characters
// that are too few to be one.
func TestI1ASecretThatAPauseCutsIsMasked(t *testing.T) {
	const secret = "q7Xw-93kd/Zp40_mVt62-8821"
	for cut := range len(secret) {
		synctest.Test(t, func(t *testing.T) {
			_, text := trace(secret, 4096, []timedChunk{{0, "x " + secret[:cut]}, {time.Second, secret[cut:] + " y\n"}})
			hidden := strings.Count(text, "*")
			if hidden < len(secret)-(minBeginning-1) || cut >= minBeginning && hidden != len(secret) {
				t.Errorf("cut at %d: %q", cut, text)
			}
		})
	}
}

func TestI1ALongSecretIsMaskedAcrossReads(t *testing.T) {
	secret := ""
	for i := range 1500 {
		secret += fmt.Sprintf("Qz%04x", i*40503%65536)
	}
	for _, size := range []int{100, 4096, 9001, 20000} {
		body := "x" + secret + "y"
		got, err := io.ReadAll(newMask([]string{secret}).Reader(&pieces{text: []byte(body), size: size}))
		if err != nil || strings.Contains(string(got), "Qz") || len(got) != len(body) {
			t.Errorf("in pieces of %d: %d bytes, %v, %q", size, len(got), err, got[:50])
		}
	}
}

// arrivedPieces are pieces all of which have arrived.
type arrivedPieces struct{ pieces }

func (p *arrivedPieces) HasArrived() bool { return len(p.text) > 0 }

// A source that does not wait is read without another goroutine, and masked alike.
func TestI1AnArrivedTextIsMasked(t *testing.T) {
	const secret = "canary-session-1234567890"
	text := []byte(strings.Repeat("x "+secret+" is a long line without an end, ", 4000))
	want := bytes.Clone(text)
	m := newMask([]string{secret})
	m.InPlace(want)
	for _, size := range []int{700, 4096, 16 << 10} {
		got, err := io.ReadAll(m.Reader(&arrivedPieces{pieces{text: text, size: size}}))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("in pieces of %d: %v, %d bytes, want %d with as many asterisks", size, err, len(got), len(want))
		}
	}
}

// How a body is cut into pieces does not matter, as long as there is no pause and the
// lines are short.
func FuzzMaskReader(f *testing.F) {
	f.Add("xxabcdefghijklxx", "abcdefgh", "efghijkl", uint8(3))
	f.Add("aaaaaaaaaaaaaaab", "aaaaaa", "aaaaaab", uint8(1))
	f.Add("a%2Fb c&amp;abcdef", "a/b c&abcdef", "", uint8(7))
	f.Add("a\\\\u0062cdefgh", "abcdefgh", "", uint8(1))
	f.Fuzz(func(t *testing.T, body, one, two string, size uint8) {
		if len(one)+len(two) > 200 || len(body) > 2000 || strings.Contains(body, "\n") {
			return
		}
		m := newMask([]string{one, two})
		whole := []byte(body)
		m.InPlace(whole)
		got, err := io.ReadAll(m.Reader(&pieces{text: []byte(body), size: int(size)%9 + 1}))
		if err != nil || !bytes.Equal(got, whole) {
			t.Fatalf("in pieces %q, whole %q: %v", got, whole, err)
		}
		for _, s := range []string{one, two} {
			masked := len(s) >= minSecret && !commonWords[strings.ToLower(s)] && !strings.Contains(s, "*")
			if masked && strings.Contains(string(whole), s) {
				t.Fatalf("%q is still in %q", s, whole)
			}
		}
	})
}
