//go:build unix

package graph

import "syscall"

// writeNow writes what the kernel takes without waiting: the descriptor is non-blocking. It always says that it is done, for whatever is
// left goes to the queue.
func (w *wire) writeNow(fd uintptr) bool {
	for {
		n, err := syscall.Write(int(fd), w.out)
		switch err {
		case nil:
			w.n = n
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			w.n = 0
		default:
			w.n = -1
		}
		return true
	}
}
