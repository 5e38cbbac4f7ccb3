package main

import (
	"io"
	"slices"

	"github.com/go-logr/logr"
	uberzap "go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

// newLogger writes lines of JSON. An error's message says where it comes from; a
// stack does not.
func newLogger(out io.Writer, level zapcore.Level) logr.Logger {
	return zap.New(zap.WriteTo(out), zap.Level(level), zap.StacktraceLevel(zapcore.PanicLevel),
		zap.RawZapOpts(uberzap.WrapCore(newLazyCore)),
		zap.JSONEncoder(func(c *zapcore.EncoderConfig) { c.EncodeTime = zapcore.RFC3339NanoTimeEncoder }))
}

// lazyCore writes the fields that a logger was given with each line, in place of
// encoding them when they are given: controller-runtime makes a logger for each
// reconcile, most of which log nothing.
type lazyCore struct {
	zapcore.Core
	fields []zapcore.Field
}

func newLazyCore(core zapcore.Core) zapcore.Core { return &lazyCore{Core: core} }

// With is a core with more fields.
func (c *lazyCore) With(fields []zapcore.Field) zapcore.Core {
	return &lazyCore{c.Core, append(slices.Clip(c.fields), fields...)}
}

// Check has this core write the entry, if its level is logged.
func (c *lazyCore) Check(e zapcore.Entry, to *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return to.AddCore(e, c)
	}
	return to
}

// Write writes the entry with all its fields.
func (c *lazyCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	return c.Core.Write(e, append(slices.Clip(c.fields), fields...))
}
