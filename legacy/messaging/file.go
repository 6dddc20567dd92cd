package messaging

import (
	"context"
	"errors"
	"io"
	"strconv"

	"switchboard/comms"
)

// file gives the data of a message that the number sent or received.
func (d *door) file(ctx context.Context, x *exchange) error {
	h := &x.head
	in := comms.OpenData{Number: credential(h.bytes(fieldUUID))}
	uri := h.text(fieldURI)
	if h.err != nil {
		return h.err
	}
	if err := x.noData(); err != nil {
		return err
	}
	// A uri that is none ("missed.call", say) is the id of no data; the verb says so, after it has looked at the UUID.
	if id, err := comms.ParseMessageID(uri); err == nil {
		in.DataID = id
	}
	data, err := d.svc.OpenData(ctx, in)
	if err != nil {
		return err
	}
	head := x.w.Header()
	head.Set("Content-Type", "application/octet-stream")
	head.Set("Content-Disposition", "attachment") // the name is in `get`
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Content-Length", strconv.FormatInt(data.Size, 10))
	x.streamed = true
	_, err = io.CopyN(x.w, data.Reader, data.Size)
	if err = errors.Join(err, data.Reader.Close()); err != nil {
		// Too late for another answer: net/http ends the connection, since less was written than was promised.
		d.log.WarnContext(ctx, "messaging: a file did not go out whole", "error", err)
	}
	return nil
}
