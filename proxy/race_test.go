//go:build race

package proxy

// raced: the race detector is on. It multiplies memory and time.
const raced = true
