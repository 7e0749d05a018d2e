package campaign

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
)

// RecipientColumn and PhoneColumn are the two columns that every list has;
// templates may use them beside the list's further columns.
const (
	RecipientColumn = "recipient"
	PhoneColumn     = "phone"
)

// MaxRendered is the longest text that a template may make, in bytes: no
// request to Telesign may be longer (10 KB), so that a longer text is an error.
const MaxRendered = 10 << 10

// MaxTemplate is the longest template, in bytes.
const MaxTemplate = 10 << 10

// ErrTooLong means that a template made more than MaxRendered bytes.
var ErrTooLong = fmt.Errorf("a template makes more than %s bytes", Number(MaxRendered))

// Template makes a text from one recipient's columns. It is safe for
// concurrent use.
type Template struct {
	fields []string // columns that it uses, in order of first use
	parts  []part   // when it is only text and columns, which nearly all are
	whole  *template.Template
	header []string
}

// part is a column if field is not negative, else a text.
type part struct {
	text  string
	field int
}

// The columns that every list has come first wherever columns are numbered.
const (
	fieldRecipient = iota
	fieldPhone
	fieldValues
)

// functions are those of text/template that a value may use. None of them makes
// much of little: printf takes widths, print joins what it is given, html and js
// lengthen, and a few of them nested fill the memory before anything is written.
var functions = []string{"and", "eq", "ge", "gt", "index", "le", "len", "lt", "ne", "not", "or", "slice", "urlquery"}

// urlquery is that of text/template, of one text and with a bound.
func urlquery(text string) (string, error) {
	if len(text) > MaxRendered {
		return "", ErrTooLong
	}
	return url.QueryEscape(text), nil
}

// ParseTemplate reads a Go text/template whose dot has one field for each
// column: recipient, phone, and those of columns. A column that isn't there is
// an error that names it. Whatever it says, rendering takes time and memory in
// proportion to its length and that of the columns.
func ParseTemplate(text string, columns []string) (*Template, error) {
	if len(text) > MaxTemplate {
		return nil, fmt.Errorf("a template has %s bytes, at most %s are possible", Number(len(text)), Number(MaxTemplate))
	}
	t := &Template{header: append([]string{RecipientColumn, PhoneColumn}, columns...)}
	whole, err := t.parse(text)
	if err != nil {
		return nil, err
	}
	for _, f := range t.fields {
		if !slices.Contains(t.header, f) {
			return nil, &MissingColumnError{Column: f, Columns: len(t.header)}
		}
	}
	if whole != nil && !t.flatten(whole.Root) {
		t.parts, t.whole = nil, whole
	}
	return t, nil
}

// TemplateColumns returns the columns that a template uses.
func TemplateColumns(text string) ([]string, error) {
	var t Template
	_, err := t.parse(text)
	return t.fields, err
}

// parse reads the text and collects the columns that it uses; nil for an empty one.
func (t *Template) parse(text string) (*template.Template, error) {
	whole, err := template.New("value").Option("missingkey=error").Funcs(template.FuncMap{"urlquery": urlquery}).Parse(text)
	if err != nil {
		reason := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "template: "), "value:1: ")
		if oddName.MatchString(text) {
			reason += `; a column whose name isn't one word of letters, digits and _ is written with _ for the rest, as in {{.last_name}}, or as {{index . "last name"}}`
		}
		return nil, errors.New(reason)
	}
	if whole.Tree == nil || whole.Root == nil {
		return nil, nil
	}
	if len(whole.Templates()) > 1 {
		return nil, errors.New("a value can't define templates of its own")
	}
	return whole, t.walk(whole.Root)
}

// oddName finds a column that is written like a field and can't be one: {{.last-name}},
// {{.last name}}, {{.1st}}.
var oddName = regexp.MustCompile(`\{\{-?\s*\.(\d|[\pL\pM\pN_]+[^\pL\pM\pN_.}|])`)

// MissingColumnError means that a template uses a column that the list hasn't. It
// names none of the list's: a list without a header has people there.
type MissingColumnError struct {
	Column  string
	Columns int // how many it has
}

func (e *MissingColumnError) Error() string {
	return fmt.Sprintf("the list has no column %q among its %d", e.Column, e.Columns)
}

// Fields are the columns that the template uses.
func (t *Template) Fields() []string { return t.fields }

// Render makes the text for one recipient.
func (t *Template) Render(r *Recipient) (string, error) {
	if t.whole == nil {
		return t.join(r)
	}
	data := make(map[string]string, len(t.header))
	for i, name := range slices.Backward(t.header) { // the first of a name counts
		data[name] = t.value(r, i)
	}
	w := &limitedBuilder{}
	if err := t.whole.Execute(w, data); err != nil {
		if w.over {
			return "", ErrTooLong
		}
		// The cause may quote a value, and a value may be a phone number.
		return "", errors.New("a template fails on this recipient's columns")
	}
	return w.String(), nil
}

func (t *Template) join(r *Recipient) (string, error) {
	if len(t.parts) == 1 && t.parts[0].field < 0 && len(t.parts[0].text) <= MaxRendered {
		return t.parts[0].text, nil
	}
	n := 0
	for _, p := range t.parts {
		if p.field < 0 {
			n += len(p.text)
		} else {
			n += len(t.value(r, p.field))
		}
	}
	if n > MaxRendered {
		return "", ErrTooLong
	}
	var b strings.Builder
	b.Grow(n)
	for _, p := range t.parts {
		if p.field < 0 {
			b.WriteString(p.text)
		} else {
			b.WriteString(t.value(r, p.field))
		}
	}
	return b.String(), nil
}

func (t *Template) value(r *Recipient, field int) string {
	switch {
	case field == fieldRecipient:
		return r.ID
	case field == fieldPhone:
		return r.Phone
	case field-fieldValues < len(r.Values):
		return r.Values[field-fieldValues]
	}
	return ""
}

// flatten turns a tree of texts and plain columns into parts; false when there
// is more in it.
func (t *Template) flatten(root *parse.ListNode) bool {
	for _, n := range root.Nodes {
		switch n := n.(type) {
		case *parse.TextNode:
			t.parts = append(t.parts, part{text: string(n.Text), field: -1})
		case *parse.ActionNode:
			if len(n.Pipe.Decl) > 0 || len(n.Pipe.Cmds) != 1 || len(n.Pipe.Cmds[0].Args) != 1 {
				return false
			}
			f, ok := n.Pipe.Cmds[0].Args[0].(*parse.FieldNode)
			if !ok || len(f.Ident) != 1 {
				return false
			}
			t.parts = append(t.parts, part{field: slices.Index(t.header, f.Ident[0])})
		default:
			return false
		}
	}
	return true
}

// walk collects the columns that a tree uses. Columns are texts, so that what
// would move the dot to their parts is refused here and not at the first send.
func (t *Template) walk(n parse.Node) error {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return nil
		}
		for _, c := range n.Nodes {
			if err := t.walk(c); err != nil {
				return err
			}
		}
	case *parse.ActionNode:
		return t.walkPipe(n.Pipe)
	case *parse.IfNode:
		if err := t.walkPipe(n.Pipe); err != nil {
			return err
		}
		if err := t.walk(n.List); err != nil {
			return err
		}
		return t.walk(n.ElseList)
	case *parse.TextNode, *parse.CommentNode:
	case *parse.RangeNode, *parse.WithNode, *parse.TemplateNode, *parse.BreakNode, *parse.ContinueNode:
		return errors.New("a value may use text, columns, functions and if, but not range, with or template")
	default:
		return fmt.Errorf("a value can't contain %s", n)
	}
	return nil
}

func (t *Template) walkPipe(p *parse.PipeNode) error {
	for _, c := range p.Cmds {
		args := c.Args
		if column, ok := indexed(c); ok { // {{index . "a column"}}: a name that isn't a Go word
			if err := t.use([]string{column}); err != nil {
				return err
			}
			args = nil
		}
		for _, a := range args {
			switch a := a.(type) {
			case *parse.DotNode:
				return errDot
			case *parse.FieldNode:
				if err := t.use(a.Ident); err != nil {
					return err
				}
			case *parse.IdentifierNode:
				if !slices.Contains(functions, a.Ident) {
					return fmt.Errorf("a value can't use the function %s, only %s", a.Ident, strings.Join(functions, ", "))
				}
			case *parse.VariableNode:
				switch {
				case a.Ident[0] == "$" && len(a.Ident) == 1:
					return errDot
				case a.Ident[0] == "$":
					if err := t.use(a.Ident[1:]); err != nil {
						return err
					}
				case len(a.Ident) > 1:
					return errParts
				}
			case *parse.PipeNode:
				if err := t.walkPipe(a); err != nil {
					return err
				}
			case *parse.ChainNode:
				return errParts
			}
		}
	}
	return nil
}

var (
	errDot   = errors.New(`a value can't use all columns at once: name one, as in {{.name}} or {{index . "a name"}}`)
	errParts = errors.New("a column is a text and has no parts")
)

// indexed is the column in a command of the form: index . "column".
func indexed(c *parse.CommandNode) (column string, ok bool) {
	if len(c.Args) != 3 {
		return "", false
	}
	f, ok1 := c.Args[0].(*parse.IdentifierNode)
	_, dot := c.Args[1].(*parse.DotNode)
	s, ok2 := c.Args[2].(*parse.StringNode)
	if !ok1 || f.Ident != "index" || !dot || !ok2 {
		return "", false
	}
	return s.Text, true
}

func (t *Template) use(ident []string) error {
	if len(ident) > 1 {
		return fmt.Errorf("the column %q is a text and has no %q", ident[0], ident[1])
	}
	if !slices.Contains(t.fields, ident[0]) {
		t.fields = append(t.fields, ident[0])
	}
	return nil
}

// limitedBuilder stops a template that makes more than MaxRendered bytes.
type limitedBuilder struct {
	strings.Builder
	over bool
}

func (b *limitedBuilder) Write(p []byte) (int, error) {
	if b.Len()+len(p) > MaxRendered {
		b.over = true
		return 0, ErrTooLong
	}
	return b.Builder.Write(p)
}
