package body

import "io"

// SpoolFile keeps the files of an Upload while the fields after them are read.
type SpoolFile interface {
	io.Writer
	io.ReaderAt
}

// spooled is where the rest of a file is, after what Part.Value holds.
type spooled struct {
	file         io.ReaderAt
	offset, size int64
}

var errSpoolLarge = fail(TooLarge, "the files before a field that decides are larger than can be kept until the field is known: send the fields before the files")

// Spool reads the rest of the form, so that it becomes whole. It appends the files to
// f, at most limit bytes of them; Stream reads them from there. f must not be written
// to by anybody else.
func (u *Upload) Spool(f SpoolFile, limit int64) error {
	if u.Whole {
		return nil
	}
	s := spooler{file: f, limit: limit}
	if err := s.spool(&u.Parts[len(u.Parts)-1]); err != nil {
		return err
	}

	for {
		part, err := u.rest.Next()
		if err == io.EOF {
			u.Whole = true
			return nil
		}
		if err != nil {
			return err
		}
		u.Parts = append(u.Parts, *part)
		if part.Kind != File {
			continue
		}
		if err := s.spool(&u.Parts[len(u.Parts)-1]); err != nil {
			return err
		}
	}
}

type spooler struct {
	file    SpoolFile
	written int64
	limit   int64
}

// spool moves the content of a part to the file.
func (s *spooler) spool(p *Part) error {
	p.spool = &spooled{file: s.file, offset: s.written}
	_, err := io.Copy(s, p.Content)
	if err != nil {
		return err
	}
	p.spool.size = s.written - p.spool.offset
	p.Content = nil
	return nil
}

// Write implements io.Writer.
func (s *spooler) Write(p []byte) (int, error) {
	if s.written+int64(len(p)) > s.limit {
		return 0, errSpoolLarge
	}
	n, err := s.file.Write(p)
	s.written += int64(n)
	return n, err
}
