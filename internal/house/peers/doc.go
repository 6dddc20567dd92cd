// Package peers runs telephone programs that nobody here wrote, for tests: baresip as a telephone that registers, calls, answers, plays a
// tone and keeps what it hears, and sipp as a peer that follows a scenario, its faults included. Both come from apt (make tools) and
// speak on the loopback alone.
package peers
