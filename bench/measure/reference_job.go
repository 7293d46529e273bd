package measure

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// ReferenceTurns is the number of turns with which the reference job takes about
// 30 ms.
const ReferenceTurns = 10_000

// RunReferenceJob runs a fixed amount of work on one core and returns the CPU
// time that it took. A figure that was measured right afterwards is normalized
// by multiplying it by the median time of all jobs of the run and dividing it by
// the time of this job: whatever a neighbor on the machine takes from the core's
// caches and clock slows down both. The work resembles that of a proxy: each turn
// sends 1 KiB through a pipe, with two system calls, and encrypts and decrypts it
// with AES-GCM.
func RunReferenceJob(core, turns int) (time.Duration, error) {
	job, err := newReferenceJob()
	if err != nil {
		return 0, err
	}
	defer job.close()

	var used time.Duration
	err = RunOnCore(core, func() error {
		if err := job.run(turns / 10); err != nil { // warms the caches
			return err
		}
		start := ThreadCPU()
		err := job.run(turns)
		used = ThreadCPU() - start
		return err
	})
	return used, err
}

type referenceJob struct {
	pipe   [2]int // read end, write end
	aead   cipher.AEAD
	record [1024]byte
	sealed []byte
}

func newReferenceJob() (*referenceJob, error) {
	j := &referenceJob{sealed: make([]byte, 0, 2048)}
	if err := unix.Pipe(j.pipe[:]); err != nil {
		return nil, fmt.Errorf("reference job: %w", err)
	}
	block, err := aes.NewCipher(make([]byte, 16))
	if err == nil {
		j.aead, err = cipher.NewGCM(block)
	}
	if err != nil {
		j.close()
		return nil, fmt.Errorf("reference job: %w", err)
	}
	return j, nil
}

func (j *referenceJob) close() {
	unix.Close(j.pipe[0])
	unix.Close(j.pipe[1])
}

func (j *referenceJob) run(turns int) error {
	var nonce [12]byte // used again and again: the job protects nothing
	for range turns {
		if _, err := unix.Write(j.pipe[1], j.record[:]); err != nil {
			return fmt.Errorf("reference job: %w", err)
		}
		if _, err := unix.Read(j.pipe[0], j.record[:]); err != nil {
			return fmt.Errorf("reference job: %w", err)
		}
		j.sealed = j.aead.Seal(j.sealed[:0], nonce[:], j.record[:], nil)
		if _, err := j.aead.Open(j.record[:0], nonce[:], j.sealed, nil); err != nil {
			return fmt.Errorf("reference job: %w", err)
		}
	}
	return nil
}
