package schedule

import "syscall"

// tie has the system ask a program to end when the one that started it is gone.
func tie(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGTERM }
