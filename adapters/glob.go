package adapters

// glob reports whether name fits pattern, in which * is any characters. same maps bytes before they are compared; nil
// compares them as they are. It does not allocate.
func glob(pattern, name string, same func(byte) byte) bool {
	star, mark := -1, 0
	p, n := 0, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark, p = p, n, p+1
		case p < len(pattern) && (pattern[p] == name[n] || same != nil && same(pattern[p]) == same(name[n])):
			p, n = p+1, n+1
		case star >= 0:
			mark++
			p, n = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

func globAny(patterns []string, name string, same func(byte) byte) bool {
	for _, p := range patterns {
		if glob(p, name, same) {
			return true
		}
	}
	return false
}

// looseByte reads names as the loosest applications do: without case, and with every mangled separator as _.
func looseByte(c byte) byte {
	switch c = fold(c); c {
	case '-', '.', ' ', '[':
		return '_'
	}
	return c
}
