package httpd

import (
	"net/http"
	"time"
)

// lingering is how long a refused client may go on sending.
const lingering = 5 * time.Second

// HearOut takes in what a refused client still sends, once the refusal is on its way. Many clients read nothing before they have written
// everything, and to bytes that nobody reads the kernel answers with a reset, which can take the refusal with it (RFC 9112,
// section 9.6). A client that waits for "100 Continue" and has told its length got none, or its body was read to the end.
func HearOut(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength == 0 || r.ContentLength > 0 && r.Header.Get("Expect") != "" {
		return
	}
	c, until := http.NewResponseController(w), time.Now().Add(lingering)
	if c.Flush() != nil || c.SetReadDeadline(until) != nil {
		return
	}
	for b := make([]byte, 32<<10); time.Now().Before(until); {
		if _, err := r.Body.Read(b); err != nil {
			return
		}
	}
}
