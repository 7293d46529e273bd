package cork

import (
	"bytes"
	"errors"
	"net"
	"testing"
)

// counting counts the writes that reach the connection.
type counting struct {
	net.Conn
	got    bytes.Buffer
	writes int
	err    error
}

func (c *counting) Write(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	c.writes++
	return c.got.Write(p)
}

func TestACorkWritesAtOnceWhatWasHeldAndInOrder(t *testing.T) {
	to := &counting{}
	var c Cork
	g := Batch{&c, to}
	var want bytes.Buffer
	for i := range 40 {
		more := i%10 != 9 // every tenth piece is the last for now
		piece := bytes.Repeat([]byte{byte(i)}, 3000)
		want.Write(piece)
		g.Before(more)
		if _, err := c.Write(to, piece); err != nil {
			t.Fatal(err)
		}
		if err := g.After(more); err != nil {
			t.Fatal(err)
		}
		if !more && !bytes.Equal(to.got.Bytes(), want.Bytes()) {
			t.Fatalf("after piece %d the connection has %d bytes of %d", i, to.got.Len(), want.Len())
		}
	}
	if to.writes != 4 {
		t.Errorf("%d writes, not one for each time that nothing more was there", to.writes)
	}
	g.Before(true)
	_, _ = c.Write(to, make([]byte, corked))
	if err := g.After(true); err != nil || !bytes.HasSuffix(to.got.Bytes(), make([]byte, corked)) {
		t.Errorf("a full cork is not written: %v", err)
	}
	to.err = errors.New("broken")
	g.Before(true)
	_, _ = c.Write(to, []byte("x"))
	if err := g.After(false); !errors.Is(err, to.err) {
		t.Errorf("the error of what was held is lost: %v", err)
	}
	if _, err := c.Write(to, []byte("x")); !errors.Is(err, to.err) {
		t.Errorf("a cork that is not held keeps bytes: %v", err)
	}
}
