package isolate

import "golang.org/x/sys/unix"

// architecture is the one whose system calls the filter knows.
const architecture = unix.AUDIT_ARCH_AARCH64

// firstOtherNumber is the first system call that the filter does not know.
const firstOtherNumber = ^uint32(0) // there is no other
