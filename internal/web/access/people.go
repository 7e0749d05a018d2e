package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Person is who has logged in through an OpenID Connect provider.
type Person struct {
	Issuer  string   `json:"issuer"`
	Subject string   `json:"subject"` // by which the issuer knows the person for good
	Name    string   `json:"name"`    // has an @, which no key's name has
	Groups  []string `json:"groups"`
}

// Groups says which people of an OpenID Connect provider may enter, and what they may do.
// The zero value admits none.
type Groups struct {
	Issuer string
	Scopes map[string][]Scope // of a group, by its name
}

// ParseGroups reads what groups may do, as in "ops=read,control; support=read". A group's
// name may have an = itself, and no semicolon.
func ParseGroups(text string) (map[string][]Scope, error) {
	groups := make(map[string][]Scope)
	for one := range strings.SplitSeq(text, ";") {
		if one = strings.TrimSpace(one); one == "" {
			continue
		}
		at := strings.LastIndex(one, "=")
		if at <= 0 {
			return nil, fmt.Errorf("%q isn't a group and its scopes, as in ops=read,control", one)
		}
		name := strings.TrimSpace(one[:at])
		if groups[name] != nil {
			return nil, fmt.Errorf("the group %s stands in it twice", name)
		}
		scopes, err := ParseScopes(one[at+1:])
		if err != nil {
			return nil, fmt.Errorf("the group %s: %w", name, err)
		}
		groups[name] = scopes
	}
	if len(groups) == 0 {
		return nil, errors.New("must name groups and their scopes, as in ops=read,control;support=read")
	}
	return groups, nil
}

// NoGroupError is an [ErrRefused] of a person who is in no group that may enter.
type NoGroupError struct{ Person Person }

func (e *NoGroupError) Error() string {
	return fmt.Sprintf("%s (%s %s) is in no group that may use handout", e.Person.Name, e.Person.Issuer, e.Person.Subject)
}

// Unwrap is ErrRefused.
func (e *NoGroupError) Unwrap() error { return ErrRefused }

// key returns what a person may do by their groups. Errors: [*NoGroupError].
func (g *Groups) key(person *Person) (*Key, error) {
	k := &Key{Name: person.Name, Issuer: person.Issuer, Subject: person.Subject, Via: ViaSession}
	for _, scope := range Scopes() {
		if g.Issuer == person.Issuer && slices.ContainsFunc(person.Groups, func(name string) bool { return slices.Contains(g.Scopes[name], scope) }) {
			k.Scopes = append(k.Scopes, scope)
		}
	}
	if len(k.Scopes) == 0 {
		return nil, &NoGroupError{*person}
	}
	return k, nil
}

// principal is [Key.Principal] for a person. Another person whose name is the same has
// another one, and it fits where histories cut names.
func (k *Key) principal() string {
	sum := sha256.Sum256([]byte(k.Issuer + "\x00" + k.Subject))
	return k.Name + "#" + hex.EncodeToString(sum[:6])
}

// loginPerson makes a session for a person, as [Keys.Login] does for a key. Errors:
// [*NoGroupError], and those of Redis.
func (k *Keys) loginPerson(ctx context.Context, person Person, now time.Time) (*Key, string, error) {
	key, err := k.Groups.key(&person)
	if err != nil {
		return nil, "", err
	}
	// The groups that count, and not all two hundred.
	person.Groups = slices.DeleteFunc(slices.Clone(person.Groups), func(g string) bool { return k.Groups.Scopes[g] == nil })
	value, err := k.begin(ctx, session{Person: &person}, now)
	return key, value, err
}
