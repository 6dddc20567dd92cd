package sip

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"

	"github.com/emiago/sipgo/sip"
)

const sdpType = "application/sdp"

// describe puts a session description into a message.
func describe(m interface {
	AppendHeader(sip.Header)
	SetBody([]byte)
}, sdp []byte) {
	if len(sdp) == 0 {
		m.SetBody(nil)
		return
	}
	kind := sip.ContentTypeHeader(sdpType)
	m.AppendHeader(&kind)
	m.SetBody(sdp)
}

// described is the session description that a message carries, also as one part of several (RFC 5621); nil: none.
func described(m interface {
	ContentType() *sip.ContentTypeHeader
	Body() []byte
}) []byte {
	header := m.ContentType()
	if header == nil || len(m.Body()) == 0 {
		return nil
	}
	kind, params, err := mime.ParseMediaType(header.Value())
	switch {
	case err != nil:
		return nil
	case kind == sdpType:
		return m.Body()
	case kind != "multipart/mixed" && kind != "multipart/alternative":
		return nil
	}
	parts := multipart.NewReader(bytes.NewReader(m.Body()), params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if err != nil {
			return nil
		}
		if kind, _, err := mime.ParseMediaType(part.Header.Get("Content-Type")); err != nil || kind != sdpType {
			continue
		}
		sdp, err := io.ReadAll(part)
		if err != nil {
			return nil
		}
		return sdp
	}
}
