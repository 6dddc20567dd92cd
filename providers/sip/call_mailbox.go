package sip

import "sync"

// mailbox is the queue of what happens to one call, in the order in which it was seen. All that a call knows belongs to the one
// goroutine that empties it: no lock is held while a message is sent, and no two events of one call are ever looked at together.
type mailbox struct {
	mu   sync.Mutex
	jobs []func()
	wake chan struct{} // holds one token while there may be jobs
	shut bool
}

func newMailbox() mailbox { return mailbox{wake: make(chan struct{}, 1)} }

// post adds a job. It says no where the call is over: nobody would do it.
func (m *mailbox) post(job func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.shut {
		return false
	}
	m.jobs = append(m.jobs, job)
	select {
	case m.wake <- struct{}{}:
	default: // the token is there already
	}
	return true
}

// take waits for jobs and gives all of them.
func (m *mailbox) take() []func() {
	<-m.wake
	m.mu.Lock()
	defer m.mu.Unlock()
	jobs := m.jobs
	m.jobs = nil
	return jobs
}

// close takes no more jobs, unless there are some still to be done.
func (m *mailbox) close() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.jobs) > 0 {
		return false
	}
	m.shut = true
	return true
}
