package main

import (
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// halves are the cores that there are, in two halves; with one core both are that one.
func halves() (mine, others []int) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, nil // then nobody is moved
	}
	var all []int
	for i := range len(set) * 64 {
		if set.IsSet(i) {
			all = append(all, i)
		}
	}
	if len(all) < 2 {
		return all, all
	}
	return all[:len(all)/2], all[len(all)/2:]
}

func setOf(cores []int) *unix.CPUSet {
	var set unix.CPUSet
	for _, i := range cores {
		set.Set(i)
	}
	return &set
}

// on does what starts a process, which then has those cores.
func on(cores []int, do func() error) error {
	if len(cores) == 0 {
		return do()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	if err := unix.SchedSetaffinity(0, setOf(cores)); err != nil {
		return err
	}
	defer func() { _ = unix.SchedSetaffinity(0, &before) }() // it was so before
	return do()
}

// move has this process on those cores from now on, and tells where it was.
func move(cores []int) (before []int) {
	mine, others := halves()
	for _, i := range others {
		if len(mine) == 0 || mine[len(mine)-1] != i {
			mine = append(mine, i)
		}
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil || len(cores) == 0 {
		return mine
	}
	for _, task := range tasks { // threads that begin later are where their makers are
		if id, err := strconv.Atoi(task.Name()); err == nil {
			_ = unix.SchedSetaffinity(id, setOf(cores)) // it has ended meanwhile
		}
	}
	return mine
}
