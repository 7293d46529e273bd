//go:build !race

package adapters

const raced = false
