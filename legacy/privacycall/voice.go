package privacycall

import (
	"context"
	"net/http"

	"github.com/google/uuid"
)

// voice answers the address of a call's recording: a WAV, for an hour, to whoever has the address, range requests included.
func (d *door) voice(ctx context.Context, r *request) (*answer, error) {
	id, err := uuid.Parse(r.in.text("CallIdentifier"))
	if err != nil {
		return nil, refusal{flagNoCall, "there is no such call", http.StatusOK}
	}
	recording, err := d.Calls.RecordingOf(ctx, r.app, id)
	if err != nil {
		return nil, err
	}
	path, _ := d.Calls.RecordingLink(recording)
	return &answer{Flag: flagOK, Msg: r.base + path}, nil
}
