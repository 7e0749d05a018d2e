package secret

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// FileSuffix ends the variable that names a file with a secret: TELESIGN_API_KEY_FILE
// has that of TELESIGN_API_KEY.
const FileSuffix = "_FILE"

// maxFile is the longest secret in a file, in bytes.
const maxFile = 64 << 10

// FromFile returns the content of the file that the variable's _FILE names, without the
// line end that editors add; found is false if there is none. It is an error if both
// variables are set: one of them would be silently ignored.
func FromFile(variable string) (value string, found bool, err error) {
	name := os.Getenv(variable + FileSuffix)
	if name == "" {
		return "", false, nil
	}
	if os.Getenv(variable) != "" {
		return "", false, fmt.Errorf("is set, and so is %s%s: set one of them", variable, FileSuffix)
	}
	value, err = Read(name)
	return value, err == nil, err
}

// Read returns the secret in a file, without the line end that editors add.
func Read(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	value := strings.TrimRight(string(text), "\r\n")
	switch {
	case err != nil:
		return "", err
	case len(text) > maxFile:
		return "", errors.New(name + " is too long for a secret")
	case value == "":
		return "", errors.New(name + " is empty")
	}
	return value, nil
}
