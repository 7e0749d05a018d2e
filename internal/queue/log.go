package queue

import (
	"fmt"
	"log/slog"
)

// Logger gives asynq's lines to slog. Its Fatal logs an error and returns: asynq
// itself never calls it.
type Logger struct{ Log *slog.Logger }

// Debug logs at this level, as the others at theirs.
func (l Logger) Debug(args ...any) { l.Log.Debug(fmt.Sprint(args...)) }

// Info logs at this level.
func (l Logger) Info(args ...any) { l.Log.Info(fmt.Sprint(args...)) }

// Warn logs at this level.
func (l Logger) Warn(args ...any) { l.Log.Warn(fmt.Sprint(args...)) }

// Error logs at this level.
func (l Logger) Error(args ...any) { l.Log.Error(fmt.Sprint(args...)) }

// Fatal logs an error.
func (l Logger) Fatal(args ...any) { l.Log.Error(fmt.Sprint(args...)) }
