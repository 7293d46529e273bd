package isolate

import "golang.org/x/sys/unix"

// architecture is the one whose system calls the filter knows.
const architecture = unix.AUDIT_ARCH_X86_64
