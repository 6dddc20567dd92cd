package call

import "switchboard/internal/clock"

// times are so many instants.
func times(n int) []clock.Micros { return make([]clock.Micros, n) }
