package content

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// s3 keeps objects in a bucket of any service that speaks Amazon's S3. A PUT is atomic and durable once it was answered.
type s3 struct {
	client *minio.Client
	bucket string
	prefix string
}

// openS3 reads s3://bucket/prefix?endpoint=host:port&region=eu-1&insecure=true. Without an endpoint it is Amazon's. The credentials
// come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, ~/.aws/credentials, or the machine's role, in this order.
func openS3(u *url.URL) (*s3, error) {
	q := u.Query()
	for key := range q {
		if key != "endpoint" && key != "region" && key != "insecure" {
			return nil, fmt.Errorf("content: unknown parameter %q of the s3 URL", key)
		}
	}
	endpoint := q.Get("endpoint")
	if endpoint == "" {
		endpoint = "s3.amazonaws.com"
	}
	client, err := minio.New(endpoint, &minio.Options{
		Creds:  credentials.NewChainCredentials([]credentials.Provider{&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{}}),
		Secure: q.Get("insecure") != "true",
		Region: q.Get("region"),
	})
	if err != nil {
		return nil, fmt.Errorf("content: %w", err)
	}
	return &s3{client: client, bucket: u.Host, prefix: strings.Trim(u.Path, "/")}, nil
}

func (s *s3) key(hash string) string { return path.Join(s.prefix, hash[:2], hash[2:]) }

func (s *s3) put(ctx context.Context, st *Staged) error {
	info, err := s.client.StatObject(ctx, s.bucket, s.key(st.hash), minio.StatObjectOptions{})
	switch {
	case err == nil && info.Size == st.size:
		return nil
	case err != nil && !errors.Is(absent(err), os.ErrNotExist):
		return err
	}
	r, err := st.open()
	if err != nil {
		return err
	}
	_, err = s.client.PutObject(ctx, s.bucket, s.key(st.hash), r, st.size, minio.PutObjectOptions{
		ContentType:          "application/octet-stream",
		DisableMultipart:     true,         // the whole object appears at once; its size is bounded by the limit on data
		DisableContentSha256: st.size == 0, // a body signed in chunks would have a last chunk, and so not the length 0 that it says
	})
	return err
}

func (s *s3) open(ctx context.Context, hash string) (io.ReadSeekCloser, error) {
	return s.get(ctx, s.key(hash))
}

// get reads an object under its full key.
func (s *s3) get(ctx context.Context, key string) (io.ReadSeekCloser, error) {
	o, err := s.client.GetObject(ctx, s.bucket, key, minio.GetObjectOptions{})
	if err != nil {
		return nil, err
	}
	if _, err := o.Stat(); err != nil { // GetObject asks for nothing yet
		return nil, errors.Join(absent(err), o.Close())
	}
	return o, nil
}

// absent is fs.ErrNotExist where the service said that there is no such object.
func absent(err error) error {
	if minio.ToErrorResponse(err).Code == minio.NoSuchKey {
		return os.ErrNotExist
	}
	return err
}
