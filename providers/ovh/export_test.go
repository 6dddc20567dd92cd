package ovh

import (
	"context"
	"io"
)

// Download is download, for the test of where it goes.
func Download(o *OVH, ctx context.Context, address string) (io.ReadCloser, error) {
	return o.download(ctx, address)
}
