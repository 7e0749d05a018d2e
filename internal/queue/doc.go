// Package queue puts tasks into asynq's queues: one, or many in few round trips.
// An ID that is taken counts as success, since IDs derive from what a task is
// about.
package queue
