package cork

import (
	"bytes"
	"errors"
	"net"
	"testing"
)

// countingConn counts the writes that reach the connection.
type countingConn struct {
	net.Conn
	got    bytes.Buffer
	writes int
	err    error
}

func (c *countingConn) Write(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	c.writes++
	return c.got.Write(p)
}

func TestBatchWritesInOrderWhenNothingMoreWaits(t *testing.T) {
	conn := &countingConn{}
	var c Cork
	batch := Batch{&c, conn}

	var want bytes.Buffer
	for i := range 40 {
		more := i%10 != 9 // after every tenth piece the body pauses
		piece := bytes.Repeat([]byte{byte(i)}, 3000)
		want.Write(piece)

		batch.Before(more)
		if _, err := c.Write(conn, piece); err != nil {
			t.Fatal(err)
		}
		if err := batch.After(more); err != nil {
			t.Fatal(err)
		}
		if !more && !bytes.Equal(conn.got.Bytes(), want.Bytes()) {
			t.Fatalf("after piece %d the connection has %d bytes of %d, or others", i, conn.got.Len(), want.Len())
		}
	}
	if conn.writes != 4 {
		t.Errorf("%d writes, want one for each of the 4 pauses", conn.writes)
	}
}

func TestBatchWritesWhenEnoughIsHeld(t *testing.T) {
	conn := &countingConn{}
	var c Cork
	batch := Batch{&c, conn}
	piece := make([]byte, batchBytes)

	batch.Before(true)
	if _, err := c.Write(conn, piece); err != nil {
		t.Fatal(err)
	}
	if conn.writes != 0 {
		t.Errorf("%d writes while the batch holds the cork, want none", conn.writes)
	}
	if err := batch.After(true); err != nil || !bytes.Equal(conn.got.Bytes(), piece) {
		t.Errorf("a full batch wrote %d bytes of %d: %v", conn.got.Len(), len(piece), err)
	}
}

func TestBatchReportsTheErrorOfWhatItHeld(t *testing.T) {
	conn := &countingConn{err: errors.New("broken")}
	var c Cork
	batch := Batch{&c, conn}

	batch.Before(true)
	if _, err := c.Write(conn, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := batch.After(false); !errors.Is(err, conn.err) {
		t.Errorf("After returned %v, want the connection's error", err)
	}
	if _, err := c.Write(conn, []byte("x")); !errors.Is(err, conn.err) {
		t.Errorf("a cork that no batch holds returned %v, want the connection's error", err)
	}
}
