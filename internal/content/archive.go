package content

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/google/uuid"
	"github.com/minio/minio-go/v7"
)

// Archive keeps finished recordings, under recordings/ in the place where contents lie. It implements what comms/call asks of an archive.
// Recordings are not kept by their hash as contents are: no two are alike, each is deleted for itself, and none is to be read to its end
// only to learn its name.
type Archive struct{ vault vault }

// vault is where recordings lie. Its objects are whole or not there.
type vault interface {
	// keep makes the file durable under the name and removes it; what is there already stays.
	keep(ctx context.Context, name, file string) error
	open(ctx context.Context, name string) (io.ReadSeekCloser, error)
	remove(ctx context.Context, name string) error
	each(ctx context.Context, fn func(name string) error) error
}

const recordings = "recordings"

// OpenArchive prepares the place.
func OpenArchive(o Options) (*Archive, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, errors.New("content: the place is neither a folder nor a URL") // the URL may hold credentials
	}
	switch u.Scheme {
	case "", "file":
		dir := u.Path
		if o.URL == "" {
			dir = filepath.Join(o.Data, "content")
		}
		f, err := openFolder(filepath.Join(dir, recordings))
		if err != nil {
			return nil, err
		}
		return &Archive{vault: folderVault{f}}, nil
	case "s3":
		s, err := openS3(u)
		if err != nil {
			return nil, err
		}
		s.prefix = path.Join(s.prefix, recordings)
		return &Archive{vault: bucketVault{s}}, nil
	}
	return nil, fmt.Errorf("content: the place must be a folder, file: or s3:, not %q", u.Scheme+":")
}

// Keep moves a finished file in; it is durable when Keep returns. Keeping again what is kept changes nothing.
func (a *Archive) Keep(ctx context.Context, recording uuid.UUID, file string) error {
	if err := a.vault.keep(ctx, nameOf(recording), file); err != nil {
		return fmt.Errorf("content: keeping recording %s: %w", recording, err)
	}
	return nil
}

// Open reads what was kept; where nothing was, the error is fs.ErrNotExist.
func (a *Archive) Open(ctx context.Context, recording uuid.UUID) (io.ReadSeekCloser, error) {
	r, err := a.vault.open(ctx, nameOf(recording))
	if err != nil {
		return nil, fmt.Errorf("content: opening recording %s: %w", recording, err)
	}
	return r, nil
}

// Remove forgets a recording. Removing what is not there is no error.
func (a *Archive) Remove(ctx context.Context, recording uuid.UUID) error {
	if err := a.vault.remove(ctx, nameOf(recording)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("content: removing recording %s: %w", recording, err)
	}
	return nil
}

// Each calls fn with every recording that is kept.
func (a *Archive) Each(ctx context.Context, fn func(recording uuid.UUID) error) error {
	return a.vault.each(ctx, func(name string) error {
		id, err := uuid.Parse(strings.TrimSuffix(path.Base(name), ".wav"))
		if err != nil || nameOf(id) != name {
			return nil // somebody else's
		}
		return fn(id)
	})
}

// nameOf spreads the recordings over 256 sub-folders.
func nameOf(recording uuid.UUID) string {
	s := recording.String()
	return s[:2] + "/" + s + ".wav"
}

// folderVault keeps them as files.
type folderVault struct{ *folder }

func (v folderVault) at(name string) (shard, path string) {
	path = filepath.Join(v.dir, filepath.FromSlash(name))
	return filepath.Dir(path), path
}

func (v folderVault) keep(ctx context.Context, name, file string) error {
	shard, to := v.at(name)
	if err := v.makeShard(shard); err != nil {
		return err
	}
	_, err := os.Stat(to)
	switch {
	case err == nil: // whoever moved it may not have come to the rest
		return errors.Join(syncPath(shard), removed(file))
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := v.bring(ctx, file, to); err != nil {
		return err
	}
	return syncPath(shard)
}

// bring renames the file, so that a full disk does not stand in its way, or copies it from another file system.
func (v folderVault) bring(ctx context.Context, file, to string) (err error) {
	from, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	if err := from.Sync(); err != nil {
		return err
	}
	err = os.Rename(file, to)
	if errors.Is(err, syscall.EXDEV) {
		if err = v.write(reader{ctx, from}, to); err == nil {
			err = removed(file)
		}
	}
	return err
}

func (v folderVault) open(_ context.Context, name string) (io.ReadSeekCloser, error) {
	_, path := v.at(name)
	return os.Open(path)
}

func (v folderVault) remove(_ context.Context, name string) error {
	_, path := v.at(name)
	return os.Remove(path)
}

func (v folderVault) each(ctx context.Context, fn func(name string) error) error {
	return filepath.WalkDir(v.dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // removed since it was listed
			return nil
		}
		if err = errors.Join(err, ctx.Err()); err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(v.dir, path)
		if err != nil {
			return err
		}
		return fn(filepath.ToSlash(name))
	})
}

func removed(file string) error {
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// bucketVault keeps them in a bucket.
type bucketVault struct{ *s3 }

func (v bucketVault) keep(ctx context.Context, name, file string) error {
	key := path.Join(v.prefix, name)
	_, err := v.client.StatObject(ctx, v.bucket, key, minio.StatObjectOptions{})
	if err == nil {
		return removed(file)
	}
	if !errors.Is(absent(err), fs.ErrNotExist) {
		return err
	}
	// One PUT, so that the object appears whole or not at all: services take 5 GB in one, and four hours of sound are 0.5.
	o := minio.PutObjectOptions{ContentType: "audio/wav", DisableMultipart: true}
	if _, err := v.client.FPutObject(ctx, v.bucket, key, file, o); err != nil {
		return err
	}
	return removed(file)
}

func (v bucketVault) open(ctx context.Context, name string) (io.ReadSeekCloser, error) {
	return v.get(ctx, path.Join(v.prefix, name))
}

func (v bucketVault) remove(ctx context.Context, name string) error {
	return absent(v.client.RemoveObject(ctx, v.bucket, path.Join(v.prefix, name), minio.RemoveObjectOptions{}))
}

func (v bucketVault) each(ctx context.Context, fn func(name string) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	prefix := v.prefix + "/"
	for o := range v.client.ListObjects(ctx, v.bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		if o.Err != nil {
			return o.Err
		}
		if err := fn(strings.TrimPrefix(o.Key, prefix)); err != nil {
			return err
		}
	}
	return ctx.Err()
}
