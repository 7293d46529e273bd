package isolate

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// The arguments with which this binary starts itself. No command has such a name.
const (
	stageLauncher = "--isolate-launcher"
	stageInit     = "--isolate-init"
	stageProgram  = "--isolate-program"

	stageSupervisor = "--isolate-supervisor"
	stageSupervised = "--isolate-supervised"
)

// Stage runs the stage of this package that the arguments of the process name. It
// returns if they name none. main calls it before anything else.
func Stage(args []string) {
	if len(args) != 2 {
		return
	}
	var code int
	switch args[1] {
	case stageLauncher:
		code = runLauncher(channelOf(3))
	case stageInit:
		code = runInit(channelOf(3))
	case stageProgram:
		code = runProgramStage(channelOf(3), restriction{rules, dropCapabilities})
	case stageSupervisor:
		code = runSupervisor(channelOf(3))
	case stageSupervised:
		code = runProgramStage(channelOf(3), restriction{supervisedRules, restrictSupervised})
	default:
		return
	}
	os.Exit(code)
}

// capabilities are what init has inside, whoever the user is.
var capabilities = []uintptr{
	unix.CAP_NET_ADMIN,        // routes and addresses
	unix.CAP_NET_RAW,          // the socket that sees what is refused
	unix.CAP_NET_BIND_SERVICE, // ports below 1024
	unix.CAP_SYS_ADMIN,        // mounts
	unix.CAP_SETPCAP,          // taking capabilities away from the program for good
	unix.CAP_SYS_PTRACE,       // the program's arguments of connect
}

// runLauncher starts init in new namespaces and waits for it.
func runLauncher(caller channel) int {
	discardSignals()
	uids, gids := mapsOfUsers()
	attr := &syscall.ProcAttr{
		Env:   []string{},
		Files: []uintptr{0, 1, 2, caller.file.Fd()},
		Sys: &syscall.SysProcAttr{
			Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWIPC |
				syscall.CLONE_NEWPID,
			UidMappings: uids,
			GidMappings: gids,
			// The kernel lets nobody without privileges change groups inside.
			GidMappingsEnableSetgroups: false,
			AmbientCaps:                capabilities,
			Pdeathsig:                  syscall.SIGKILL,
		},
	}
	pid, err := syscall.ForkExec("/proc/self/exe", []string{"byline", stageInit}, attr)
	if err != nil {
		_ = caller.send(message{Kind: kindDenied, What: "create namespaces", Error: err.Error()})
		return 1
	}
	caller.close() // so that the caller reads the end of the channel when init has ended

	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(pid, &status, 0, nil)
		if !errors.Is(err, syscall.EINTR) {
			return 0
		}
	}
}

// discardSignals keeps signals from ending this process. The caller passes on those that
// are meant for the program; a terminal sends its own to the program, too.
func discardSignals() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
}

// mapsOfUsers returns the maps by which users and groups keep their numbers: all of
// them for root, the own ones for others.
func mapsOfUsers() (uids, gids []syscall.SysProcIDMap) {
	if os.Geteuid() == 0 {
		uids, gids = rangesOf("/proc/self/uid_map"), rangesOf("/proc/self/gid_map")
	}
	if uids == nil || gids == nil {
		uids = []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}}
		gids = []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}}
	}
	return uids, gids
}

// rangesOf returns a map in which every number that is mapped here stays the same.
func rangesOf(file string) []syscall.SysProcIDMap {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	var ranges []syscall.SysProcIDMap
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			return nil
		}
		first, err1 := strconv.Atoi(fields[0])
		size, err2 := strconv.Atoi(fields[2])
		if err1 != nil || err2 != nil {
			return nil
		}
		ranges = append(ranges, syscall.SysProcIDMap{ContainerID: first, HostID: first, Size: size})
	}
	return ranges
}

// deny tells the caller what the machine does not allow.
func deny(caller channel, what string, err error) int {
	_ = caller.send(message{Kind: kindDenied, What: what, Error: fmt.Sprint(err)})
	return 1
}
