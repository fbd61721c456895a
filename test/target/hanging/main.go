// A folder seen through FUSE, so that a test can make a mounted file system hang by stopping this process.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

func main() {
	root, err := fs.NewLoopbackRoot(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// Nothing is remembered by the kernel: every call comes here.
	none := time.Duration(0)
	server, err := fs.Mount(os.Args[2], root, &fs.Options{
		AttrTimeout:  &none,
		EntryTimeout: &none,
		MountOptions: fuse.MountOptions{DirectMountStrict: true, FsName: "hanging", Name: "varvetest"},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("mounted")
	server.Wait()
}
