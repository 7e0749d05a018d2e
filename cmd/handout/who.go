package main

import (
	"os"
	"os/user"
)

// loginName is who runs this: the login name, else $USER, else "unknown".
func loginName() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	if name := os.Getenv("USER"); name != "" {
		return name
	}
	return "unknown"
}
