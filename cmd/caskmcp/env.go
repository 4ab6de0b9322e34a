package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"
)

// Exit codes. They never depend on the output format.
const (
	exitOK          = 0
	exitError       = 1   // could not work; usage and input errors too
	exitChanges     = 2   // changes present, "plan --detailed-exitcode" only
	exitGate        = 3   // the gate says no
	exitInterrupted = 130 // Ctrl-C
)

// env is the world a command runs in. Only main fills it from the process.
//
// The manners of the terminal:
//   - stdout is data, stderr is for people;
//   - errors are "caskmcp: error: …", what to run next is "caskmcp: hint: …",
//     without capitals or a full stop;
//   - colour and progress are for terminals only, and NO_COLOR is honoured.
type env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Dir            string // working directory
	Getenv         func(string) string
	LookupEnv      func(string) (string, bool)
	Now            func() time.Time
	User           string
	StdinTTY       bool
	StdoutTTY      bool
	StderrTTY      bool
}

// codedError is an error that knows its exit code and what to run next. An
// empty message prints nothing: the command has said all there is to say.
type codedError struct {
	code  int
	err   error
	hints []string
}

func (e *codedError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *codedError) Unwrap() error { return e.err }

// hint adds what to run next to err.
func hint(err error, hints ...string) error {
	var e *codedError
	if errors.As(err, &e) {
		return &codedError{code: e.code, err: e.err, hints: append(append([]string{}, e.hints...), hints...)}
	}
	return &codedError{code: codeOf(err), err: err, hints: hints}
}

// codeOf keeps the code of err where it has one.
func codeOf(err error) int {
	var e *codedError
	if errors.As(err, &e) {
		return e.code
	}
	return exitError
}

// gateError is the error of a gate that says no.
func gateError(format string, args ...any) error {
	return &codedError{code: exitGate, err: fmt.Errorf(format, args...)}
}

// quiet ends the command with code and without a message.
func quiet(code int) error { return &codedError{code: code} }

// report prints err the way people read it and returns its exit code.
func (e *env) report(err error) int {
	if err == nil {
		return exitOK
	}
	var x *codedError
	code := exitError
	var hints []string
	if errors.As(err, &x) {
		code, hints = x.code, x.hints
	}
	if msg := err.Error(); msg != "" {
		fmt.Fprintf(e.Stderr, "caskmcp: error: %s\n", printable(msg))
	}
	for _, h := range hints {
		fmt.Fprintf(e.Stderr, "caskmcp: hint: %s\n", printable(h))
	}
	return code
}

// say writes a line for people.
func (e *env) say(format string, args ...any) {
	fmt.Fprintln(e.Stderr, printable(fmt.Sprintf(format, args...)))
}

// writeJSON writes v as indented JSON to stdout.
func (e *env) writeJSON(v any) error {
	enc := json.NewEncoder(e.Stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// abs resolves a path given on the command line.
func (e *env) abs(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(e.Dir, p)
}

// show is an absolute path as people like to see it: relative to the working
// directory where it lies below it.
func (e *env) show(p string) string {
	if r, err := filepath.Rel(e.Dir, p); err == nil && !strings.HasPrefix(r, "..") {
		return r
	}
	return p
}

// printable replaces what would let captured text drive a terminal: control
// and format characters other than newline and tab.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r < 0x20, r >= 0x7f && r < 0xa0, r >= 0x200b && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2060 && r <= 0x206f, r == 0xfeff, r >= 0xe0000 && r <= 0xe007f:
			return '\uFFFD'
		}
		return r
	}, s)
}

// color reports whether output to a stream may be coloured.
func (e *env) color(mode string, tty bool) (bool, error) {
	switch mode {
	case "always":
		return true, nil
	case "never":
		return false, nil
	case "auto", "":
		return tty && e.Getenv("NO_COLOR") == "" && e.Getenv("TERM") != "dumb", nil
	}
	return false, fmt.Errorf("--color is %q, want auto, always or never", mode)
}
