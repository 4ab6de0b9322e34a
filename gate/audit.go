package gate

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// Record is one line of the audit log.
type Record struct {
	Time time.Time `json:"time"`
	// Event is "decision", before anything is sent, or "result", after.
	Event     string `json:"event"`
	Principal string `json:"principal"`
	Tool      string `json:"tool"`
	// Digest of the approved definition, "" for an unknown tool.
	Digest string `json:"digest,omitempty"`
	// Decision is "allow" or "deny".
	Decision string `json:"decision"`
	// Code says why: "ok", or the Code of the Refusal.
	Code string `json:"code"`
	// Rule of the policy that decided, if one did.
	Rule string `json:"rule,omitempty"`
	// Arguments is the SHA-256 of the arguments' RFC 8785 form, or of their
	// bytes where they have none. Arguments themselves are never logged.
	Arguments string `json:"arguments,omitempty"`
	// Status is the HTTP status of a result, 0 without one.
	Status int `json:"status,omitempty"`
}

// Auditor keeps records. Where it fails, the call is denied.
type Auditor interface {
	Audit(Record) error
}

// NoAudit keeps nothing; to run without an audit log is an explicit choice.
type NoAudit struct{}

// Audit does nothing.
func (NoAudit) Audit(Record) error { return nil }

// FileAuditor appends records to a file as JSON lines.
type FileAuditor struct {
	mu   sync.Mutex
	file *os.File
	// torn says that the last write may have left a part of a line.
	torn bool
}

// OpenAudit opens or creates the audit log at path with permission 0600. It
// refuses anything but a regular file.
func OpenAudit(path string) (*FileAuditor, error) {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("opening audit log: %s is not a regular file", path)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening audit log: %w", err)
	}
	a := &FileAuditor{file: f}
	if err := a.checkEnd(); err != nil {
		return nil, errors.Join(fmt.Errorf("opening audit log: %w", err), f.Close())
	}
	return a, nil
}

// checkEnd looks whether the last line is whole.
func (a *FileAuditor) checkEnd() error {
	info, err := a.file.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	last := make([]byte, 1)
	if _, err := a.file.ReadAt(last, info.Size()-1); err != nil {
		return err
	}
	a.torn = last[0] != '\n'
	return nil
}

// Audit appends r as one line, in one write. After a torn line it begins a
// new one, so that at most one line is lost.
func (a *FileAuditor) Audit(r Record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("writing audit log: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.torn {
		line = append([]byte("\n"), line...)
	}
	a.torn = true
	if _, err := a.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("writing audit log: %w", err)
	}
	a.torn = false
	return nil
}

// Close closes the file.
func (a *FileAuditor) Close() error { return a.file.Close() }
