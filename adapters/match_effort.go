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

// spend counts the effort of matching a value against a pattern with the given number of
// parts. It returns false if the request has exceeded its effort, and is therefore in
// doubt.
func (e *effort) spend(value string, parts int) bool {
	if len(value) <= shortValue {
		return true
	}
	*e += effort(len(value) * parts)
	return *e <= maxEffort
}
