//go:build unix

package postgrestest

import (
	"errors"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// other is whom PostgreSQL, which refuses to run as root, runs as instead: the
// user of Debian's package, else the user "nobody". Zeros when this process isn't root's.
func other() (uid, gid int, err error) {
	if os.Geteuid() != 0 {
		return 0, 0, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		return uid, gid, errors.Join(err1, err2)
	}
	return 0, 0, errors.New("there is neither a user postgres nor nobody, and PostgreSQL doesn't run as root")
}

func ownBy(dir string) error {
	uid, gid, err := other()
	if err != nil || uid == 0 {
		return err
	}
	return os.Chown(dir, uid, gid)
}

func asOther(cmd *exec.Cmd) {
	if uid, gid, err := other(); err == nil && uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
}
