// A folder seen through FUSE, so that a test can make a mounted file system hang by stopping this process. Told "write",
// "fsync" or "read" on its input it stops by itself in the middle of such a call, and says so before: in that of a pack,
// which is known by the size of its writes. It ends with its input. With a uid behind the two folders it does everything
// as that user, whoever asks, as a server does that squashes root.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

type stopping struct {
	fuse.RawFileSystem
	at        atomic.Pointer[string]
	meetsPack atomic.Bool
}

const packWriteMin = 64 << 10

func (s *stopping) meet(call string) {
	at := s.at.Load()
	if at == nil || *at != call || !s.meetsPack.Load() || !s.at.CompareAndSwap(at, nil) {
		return
	}
	fmt.Println("stopping at " + call)
	syscall.Kill(os.Getpid(), syscall.SIGSTOP)
}

// What this process reads into is not aligned as the files behind would then have it.
func (s *stopping) Open(cancel <-chan struct{}, input *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	input.Flags &^= syscall.O_DIRECT
	return s.RawFileSystem.Open(cancel, input, out)
}

func (s *stopping) Writev(cancel <-chan struct{}, input *fuse.WriteIn, data [][]byte) (uint32, fuse.Status) {
	if input.Size >= packWriteMin {
		s.meetsPack.Store(true)
	}
	s.meet("write")
	return s.RawFileSystem.Writev(cancel, input, data)
}

func (s *stopping) Fsync(cancel <-chan struct{}, input *fuse.FsyncIn) fuse.Status {
	s.meet("fsync")
	return s.RawFileSystem.Fsync(cancel, input)
}

func (s *stopping) Read(cancel <-chan struct{}, input *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	s.meet("read")
	return s.RawFileSystem.Read(cancel, input, buf)
}

func main() {
	root, err := fs.NewLoopbackRoot(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// Nothing is remembered by the kernel, nor done by it with the files behind: every call comes here.
	none := time.Duration(0)
	options := &fs.Options{
		AttrTimeout:  &none,
		EntryTimeout: &none,
		MountOptions: fuse.MountOptions{
			DirectMountStrict:    true,
			FsName:               "hanging",
			Name:                 "varvetest",
			DisabledCapabilities: fuse.CAP_PASSTHROUGH,
		},
	}
	seen := &stopping{RawFileSystem: fs.NewNodeFS(root, options)}
	server, err := fuse.NewServer(seen, os.Args[2], &options.MountOptions)
	if err == nil {
		go server.Serve()
		err = server.WaitMount()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := squash(os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("mounted")
	go listen(seen)
	server.Wait()
}

func squash(to []string) error {
	if len(to) == 0 {
		return nil
	}
	uid, err := strconv.Atoi(to[0])
	if err == nil {
		err = syscall.Setgroups(nil)
	}
	if err == nil {
		err = syscall.Setgid(uid)
	}
	if err == nil {
		err = syscall.Setuid(uid)
	}
	return err
}

func listen(seen *stopping) {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		call := lines.Text()
		seen.meetsPack.Store(false)
		seen.at.Store(&call)
	}
	syscall.Unmount(os.Args[2], syscall.MNT_DETACH)
	os.Exit(0)
}
