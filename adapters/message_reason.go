package adapters

// ExplainMessage says why a message that ReadMessage refused matches no rule of messages: one line for each of the
// nearest rules. It tries all rules again.
func (a *Adapter) ExplainMessage(s *Socket, m SocketMessage) []string {
	if s.rules.rules == nil {
		return nil
	}
	parts, why := s.rules.framing.divide(m)
	if why != "" {
		return []string{"framing: " + why}
	}

	for _, part := range parts {
		one := m
		one.Payload = part
		if reason := s.explainPart(&one); reason != nil {
			return reason.Lines(true)
		}
	}
	return nil
}

// explainPart is nil for a message that a rule matches.
func (s *Socket) explainPart(m *SocketMessage) *Reason {
	d := messageReader{m: m}
	defer d.release()
	reason := &Reason{Kind: NoActionMatches}
	for i := range s.rules.rules {
		if m.Context != nil && m.Context.Err() != nil {
			break
		}

		rule := &s.rules.rules[i]
		b := s.bound
		o := rule.match(&d, &b)
		if o.verdict == matches {
			return nil
		}
		r := d.r
		if r == nil {
			r = new(request)
		}
		miss := rule.missOf(r, o)
		if o.place == inBody {
			miss.doubt = doubt{why: d.doubt(rule, o)}
		}
		reason.Nearest = append(reason.Nearest, miss)
		if miss.Unclear {
			break
		}
	}
	reason.sortNearest()
	return reason
}
