package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"slices"
	"time"

	"github.com/handout-dev/handout/telesign"
)

// maxDocument is the largest document that WhatsApp takes, in bytes.
const maxDocument = 100 << 20

// fetchTime is how long a file may take to come: short of any client's own
// time-out, which the POST spends waiting for it.
const fetchTime = 2 * time.Second

// documents are the content types that WhatsApp takes as a document, by the
// beginnings that the files have; nil for any.
var documents = map[string][]byte{
	"text/plain":                    nil,
	"application/pdf":               []byte("%PDF-"),
	"application/msword":            []byte("\xd0\xcf\x11\xe0"),
	"application/vnd.ms-excel":      []byte("\xd0\xcf\x11\xe0"),
	"application/vnd.ms-powerpoint": []byte("\xd0\xcf\x11\xe0"),
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":         []byte("PK\x03\x04"),
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document":   []byte("PK\x03\x04"),
	"application/vnd.openxmlformats-officedocument.presentationml.presentation": []byte("PK\x03\x04"),
}

var errTooLarge = errors.New("the file is over 100 MB")

// newFetcher makes the client that fetches files. It follows a few redirects.
func newFetcher() *http.Client {
	return &http.Client{
		Timeout: fetchTime,
		Transport: &http.Transport{
			MaxIdleConns: 32, MaxIdleConnsPerHost: 32, IdleConnTimeout: time.Minute,
			DisableCompression: true, // its size is that of what comes
		},
		CheckRedirect: func(_ *http.Request, via []*http.Request) error {
			if len(via) > 3 {
				return errors.New("too many redirects")
			}
			return nil
		},
	}
}

// fetchFiles fetches the file of each WhatsApp leg, and lets the leg fail if
// WhatsApp couldn't have. It is false when the client went away meanwhile.
func (s *Simulator) fetchFiles(ctx context.Context, req *request) bool {
	for i := range req.legs {
		l := &req.legs[i]
		if l.channel != telesign.ChannelWhatsApp || l.fault != 0 || l.file == "" {
			continue
		}
		err := s.fetch(ctx, l.file, l.document)
		if ctx.Err() != nil {
			return false
		}
		switch {
		case errors.Is(err, errTooLarge):
			l.fault = codeMediaSize
		case err != nil:
			l.fault = codeBadContent
		}
		s.tally.fetched(err == nil)
		if err != nil {
			s.log.Debug("file can't be sent", "why", err)
		}
	}
	return true
}

// fetch reads a file to its end. The errors don't hold its address.
func (s *Simulator) fetch(ctx context.Context, url string, document bool) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return errors.New("the address isn't one")
	}
	resp, err := s.fetcher.Do(req)
	if err != nil {
		return errors.New("the file can't be fetched")
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("HTTP status %d", resp.StatusCode)
	}
	head := make([]byte, 8)
	n, err := io.ReadFull(resp.Body, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the file is empty or breaks off")
	}
	rest, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxDocument))
	switch {
	case err != nil:
		return errors.New("the file breaks off")
	case int64(n)+rest > maxDocument:
		return errTooLarge
	case !document:
		return nil
	}
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	begins, known := documents[kind]
	if err != nil || !known || !bytes.HasPrefix(head[:n], begins) {
		return fmt.Errorf("%q isn't a document, or the file isn't one", path.Base(kind))
	}
	return nil
}

// fileOf is the address of a leg's file, and whether it has to be a document.
// Which of the two names the vendor takes isn't settled: see needs.
func fileOf(channel string, details fields) (url string, document bool) {
	template, _ := details.text("template")
	var parameters fields
	if channel != telesign.ChannelWhatsApp || json.Unmarshal(details["parameters"], &parameters) != nil {
		return "", false
	}
	for _, name := range []string{"url", "header_url"} {
		if url, _ = parameters.text(name); url != "" {
			break
		}
	}
	return url, !slices.Contains([]string{"image", "video", "audio"}, template)
}
