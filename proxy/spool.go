package proxy

import (
	"os"
)

// openSpool creates a file for the files of an upload that are kept until the
// fields after them are known. Only this process can read it (mode 0600). It has no
// name, so that it is gone when it is closed or the process ends, however that
// happens.
func (s *Server) openSpool() (*os.File, error) {
	f, err := os.CreateTemp(s.opt.SpoolDir, "upload-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// closeSpool frees the disk that the exchange used.
func (x *exchange) closeSpool() {
	if x.spool != nil {
		_ = x.spool.Close()
	}
}
