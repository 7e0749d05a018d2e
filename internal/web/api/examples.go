package api

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed examples.json
var examplesText []byte

// examples are bodies to show: requests by operation, answers by the name of their
// schema. Raw, they keep the order of their fields.
type examples struct {
	Requests, Answers map[string]json.RawMessage
}

func readExamples() (*examples, error) {
	e := new(examples)
	if err := json.Unmarshal(examplesText, e); err != nil {
		return nil, fmt.Errorf("read the examples of the API: %w", err)
	}
	return e, nil
}

// illustrate puts an example into each body of the document, and into each time.
func (a *API) illustrate() error {
	with, err := readExamples()
	if err != nil {
		return err
	}
	for _, op := range operationsOf(a.huma.OpenAPI()) {
		if op.RequestBody != nil {
			if body := op.RequestBody.Content["application/json"]; body != nil {
				if text, ok := with.Requests[op.OperationID]; ok {
					body.Example = text
				}
			}
		}
		for status, r := range op.Responses {
			if body := r.Content["application/json"]; body != nil && strings.HasPrefix(status, "2") {
				if text, ok := with.Answers[path.Base(body.Schema.Ref)]; ok {
					body.Example = text
				}
			}
		}
		for _, p := range op.Parameters {
			timed(p.Schema)
		}
	}
	for _, s := range a.huma.OpenAPI().Components.Schemas.Map() {
		for _, field := range s.Properties {
			timed(field)
		}
	}
	return nil
}

// timed gives a time an example.
func timed(s *huma.Schema) {
	if s.Format == "date-time" && len(s.Examples) == 0 {
		s.Examples = []any{exampleTime}
	}
}

// operationsOf are the operations of a document, by their IDs.
func operationsOf(o *huma.OpenAPI) map[string]*huma.Operation {
	byID := make(map[string]*huma.Operation)
	for _, item := range o.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Delete} {
			if op != nil {
				byID[op.OperationID] = op
			}
		}
	}
	return byID
}

// indented is an example as the page shows it.
func indented(example any) (string, error) {
	if text, ok := example.(string); ok {
		return text, nil
	}
	b, err := json.MarshalIndent(example, "", "  ")
	return string(b), err
}

// curl is an operation's example request as a command. API and KEY are variables of the
// shell, as in docs/integrate.md.
func curl(op *huma.Operation) (string, error) {
	at, lines := op.Path, []string{`-H "Authorization: Bearer $KEY"`}
	for _, p := range op.Parameters {
		switch {
		case p.In == "path" && len(p.Schema.Examples) > 0:
			at = strings.Replace(at, "{"+p.Name+"}", fmt.Sprint(p.Schema.Examples[0]), 1)
		case p.In == "header" && p.Required:
			lines = append(lines, fmt.Sprintf("-H '%s: %v'", p.Name, p.Schema.Examples[0]))
		}
	}
	usual := "GET"
	if body := op.RequestBody; body != nil {
		if usual = "POST"; body.Content["text/csv"] != nil {
			lines = append(lines, "-H 'Content-Type: text/csv'", "--data-binary @list.csv")
		} else if text := body.Content["application/json"]; text != nil {
			body, err := indented(text.Example)
			if err != nil {
				return "", err
			}
			lines = append(lines, "-H 'Content-Type: application/json'", "-d '"+body+"'")
		}
	}
	command := "curl -sS --fail-with-body"
	if op.Method != usual {
		command += " -X " + op.Method
	}
	return strings.Join(append([]string{command + " $API" + at}, lines...), " \\\n  "), nil
}
