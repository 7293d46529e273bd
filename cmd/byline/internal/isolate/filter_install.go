package isolate

// installFilter installs the filter of a program.
func installFilter(parent channel) error {
	_, err := load(filterOf(allow), false)
	return err
}
