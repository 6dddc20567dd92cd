package callrecords

import (
	"net/http"
	"testing"
)

func FuzzQuery(f *testing.F) {
	for _, seed := range []string{"", "number=0033112233&number=+33112233&not=1", "durationmin=600&direction=IN", "from=2021-06-29&to=2021-06-29T21:46:32.006+02:00",
		"limit=1000&offset=5", "limit=%zz", "to=0000-01-01", "from=9999-12-31T23:59:59.999999Z"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := readQuery(raw)
		if err != nil {
			if f := failureOf(err); f.status != http.StatusBadRequest || f.text == "" {
				t.Errorf("%+v", f)
			}
			return
		}
		if q.limit < 0 || q.limit > mostLimit || q.offset < 0 || q.MinDuration != nil && *q.MinDuration < 0 {
			t.Errorf("%q is %+v", raw, q)
		}
	})
}
