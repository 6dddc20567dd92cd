// Package content keeps data that is too large for a row, once for each content however often it was sent: by its SHA-256.
//
// Stage (staged.go) reads data to its end, hashing, without holding it in memory; Keep makes it durable under its hash. Two stores
// stand behind it: a folder (folder.go, the default) and a bucket that speaks S3 (s3.go). Both pass the same contract
// (content_test.go).
//
// Why not gocloud.dev/blob: see docs/adr/0003-content-store.md. What does not live here: who may read what (comms), and links (comms).
package content
