package peer

import (
	"context"
	"errors"
)

func (s *Site) startByline(ctx context.Context, trust string) (*Peer, error) {
	return nil, errors.New("not yet")
}
