package sip

import (
	"hash/maphash"
	"strconv"
	"sync"
	"time"
)

// invites remembers the new calls of the last 32 s (64*T1, RFC 3261 section 17.2.1), so that an INVITE that is sent again, while its
// transaction is over already or by another way, does not become a second call.
type invites struct {
	mu   sync.Mutex
	seen *aging[uint64, uint64] // which INVITE, and its branch
}

const mostInvites = 100_000 // in each half: 1,500 new calls a second

func newInvites() *invites {
	return &invites{seen: newAging[uint64, uint64](32*time.Second, mostInvites)}
}

// inviteKey is what names an INVITE (RFC 3261 section 8.2.2.2).
func inviteKey(callID, fromTag string, number uint32) uint64 {
	var h maphash.Hash
	h.SetSeed(tagSeed)
	_, _ = h.WriteString(callID)                                 // a hash takes everything
	_ = h.WriteByte(0)                                           // as above
	_, _ = h.WriteString(fromTag)                                // as above
	_ = h.WriteByte(0)                                           // as above
	_, _ = h.WriteString(strconv.FormatUint(uint64(number), 10)) // as above
	return h.Sum64()
}

// once is what became of an INVITE that was shown to invites.take.
type once int

const (
	isNew    once = iota
	isAgain       // the same, sent again
	isMerged      // the same by another way, or in a loop: 482
)

// take notes an INVITE.
func (i *invites) take(key uint64, branch string, now time.Time) once {
	b := maphash.String(tagSeed, branch)
	i.mu.Lock()
	defer i.mu.Unlock()
	was, ok := i.seen.get(key, now)
	switch {
	case !ok:
		i.seen.put(key, b, now)
		return isNew
	case was == b:
		return isAgain
	}
	return isMerged
}

// has tells whether that INVITE was taken.
func (i *invites) has(key uint64, now time.Time) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	_, ok := i.seen.peek(key, now)
	return ok
}

func (i *invites) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.seen.len()
}
