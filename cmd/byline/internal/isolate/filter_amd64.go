package isolate

import "golang.org/x/sys/unix"

// architecture is the one whose system calls the filter knows.
const architecture = unix.AUDIT_ARCH_X86_64

// firstOtherNumber is the first system call that the filter does not know.
const firstOtherNumber = 1 << 30 // of x32, which has the same architecture
