//go:build race

package adapters

// raced reports that the race detector is on, which needs more memory and time.
const raced = true
