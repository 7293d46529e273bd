//go:build race

package proxy

// raced reports that the race detector is on, which needs more memory and time.
const raced = true
