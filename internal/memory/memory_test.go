package memory

import (
	"testing"
	"time"
)

func TestItReleasesWhenWorkHasStopped(t *testing.T) {
	var total uint64
	releases, now := 0, time.Unix(0, 0)
	tend := tender{now: func() time.Time { return now }, allocated: func() uint64 { return total }}
	tend.release = func() { releases++; now = now.Add(10 * time.Millisecond) }
	step := func(name string, allocate uint64, later time.Duration, want int) {
		t.Helper()
		total += allocate
		now = now.Add(later)
		tend.look()
		if releases != want {
			t.Errorf("%s: released %d times, not %d", name, releases, want)
		}
	}
	step("the start", 8<<20, look, 0)
	step("work", 8<<20, look, 0)
	step("still", 100, look, 1)
	step("still so", 100, look, 1)
	step("a little", quiet-1, look, 1)
	step("more work", 8<<20, 0, 1)
	step("still, but soon", 100, 0, 1)
	step("still, later", 100, time.Second, 2)
	for range worthwhile/quiet*2 - 1 { // tickers allocate little by little
		step("tickers", quiet/2, time.Second, 2)
	}
	step("it adds up", quiet/2, time.Second, 3)
}

func TestWhatIsAllocatedIsCounted(t *testing.T) {
	before := allocated()
	sink = make([]byte, 1<<20)
	if grown := allocated() - before; grown < 1<<20 {
		t.Errorf("a MiB counts as %d", grown)
	}
}

var sink []byte
