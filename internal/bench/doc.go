// Command bench measures the switchboard beside a bare baseline, on this machine, in the same minute: `make bench`, or
//
//	go run ./internal/bench [-quick] [-w w1,w2] [-d 2s] [-c 1,32,128] [-json FILE] [-profile DIR] [-- FLAG OF THE SERVER ...]
//
// It builds both programs, starts them on free ports with data of their own, registers accounts through the public API, drives both with the
// same client (load), and prints one table. Times and rates depend on the machine and on who else uses it: only the ratios, and the
// processor time of one operation, say something. Each measurement of the switchboard stands between two of the baseline.
//
//	w1    durable sends of 100 bytes to a hundred numbers in turn
//	w2    the newest 50 messages with their numbers
//	w3    from a send to its delivery to one subscriber, at 100 a second
//	w4    one event to a thousand and to five thousand subscribers
//	cold  from the start of the process to its first answer; memory two seconds later
//
// It asserts no time: slow is not an error. A wrong answer is one, and so is a delivery that is missing or doubled.
//
// Start reading at bench.go, the order of what is measured. A workload (work_*.go) drives a side: side_baseline.go or
// side_switchboard.go. What is not here: the client (load), the baseline (baseline), and any rule of the switchboard.
package main
