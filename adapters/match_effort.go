package adapters

// effort counts what matching long values has cost in one request or message, in
// bytes times parts of a pattern. Every rule may look at the same value, and an
// adapter may have a thousand rules.
type effort int

const (
	// maxEffort bounds an effort. It takes some tenths of a second to spend.
	maxEffort = 1 << 25
	// shortValue is the length of values that cost nothing.
	shortValue = 1 << 10
	// whereEffort is how many parts of a pattern an expression of where stands for.
	whereEffort = 64
)

// spend notes that a value is matched against so many parts of a pattern. It is false
// if the request has cost too much already: then it is in doubt.
func (e *effort) spend(value string, parts int) bool {
	if len(value) <= shortValue {
		return true
	}
	*e += effort(len(value) * parts)
	return *e <= maxEffort
}
