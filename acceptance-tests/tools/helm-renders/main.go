// Renders charts as `helm template` does, many in one process: a line of JSON on standard input is a chart with values, the
// answering line on standard output what its templates printed, or why it is refused.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"runtime/debug"
	"sort"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	"helm.sh/helm/v4/pkg/strvals"
)

type question struct {
	// The chart's files by their path in it.
	Files map[string]string `json:"files"`
	// Contents of the files of `-f`, in their order.
	Values []string `json:"values"`
	// Arguments of --set-json, --set, --set-string, --set-file (paths of real files) and --set-literal.
	SetJSON    []string `json:"set_json"`
	Set        []string `json:"set"`
	SetString  []string `json:"set_string"`
	SetFile    []string `json:"set_file"`
	SetLiteral []string `json:"set_literal"`
}

type answer struct {
	Rendered map[string]string `json:"rendered,omitempty"`
	Error    string            `json:"error,omitempty"`
}

func user(q question) (map[string]any, error) {
	base := map[string]any{}
	for number, text := range q.Values {
		one, err := loader.LoadValues(strings.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("failed to parse v%d.yaml: %w", number, err)
		}
		base = loader.MergeMaps(base, one)
	}
	for _, value := range q.SetJSON {
		if trimmed := strings.TrimSpace(value); trimmed != "" && trimmed[0] == '{' {
			var one map[string]any
			if err := json.Unmarshal([]byte(trimmed), &one); err != nil {
				return nil, fmt.Errorf("failed parsing --set-json data JSON: %s", value)
			}
			base = loader.MergeMaps(base, one)
		} else if err := strvals.ParseJSON(value, base); err != nil {
			return nil, fmt.Errorf("failed parsing --set-json data %s", value)
		}
	}
	for _, value := range q.Set {
		if err := strvals.ParseInto(value, base); err != nil {
			return nil, fmt.Errorf("failed parsing --set data: %w", err)
		}
	}
	for _, value := range q.SetString {
		if err := strvals.ParseIntoString(value, base); err != nil {
			return nil, fmt.Errorf("failed parsing --set-string data: %w", err)
		}
	}
	for _, value := range q.SetFile {
		read := func(path []rune) (any, error) {
			content, err := os.ReadFile(string(path))
			return string(content), err
		}
		if err := strvals.ParseIntoFile(value, base, read); err != nil {
			return nil, fmt.Errorf("failed parsing --set-file data: %w", err)
		}
	}
	for _, value := range q.SetLiteral {
		if err := strvals.ParseLiteralInto(value, base); err != nil {
			return nil, fmt.Errorf("failed parsing --set-literal data: %w", err)
		}
	}
	return base, nil
}

func load(files map[string]string) (*chart.Chart, error) {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	sort.Strings(names)
	buffered := make([]*archive.BufferedFile, 0, len(names))
	for _, name := range names {
		buffered = append(buffered, &archive.BufferedFile{Name: name, Data: []byte(files[name])})
	}
	return loader.LoadFiles(buffered)
}

func render(q question) (rendered map[string]string, err error) {
	defer func() {
		if caught := recover(); caught != nil {
			err = fmt.Errorf("panic: %v", caught)
		}
	}()
	values, err := user(q)
	if err != nil {
		return nil, err
	}
	chart, err := load(q.Files)
	if err != nil {
		return nil, err
	}
	if err := chartutil.ProcessDependencies(chart, values); err != nil {
		return nil, fmt.Errorf("chart dependencies processing failed: %w", err)
	}
	options := common.ReleaseOptions{Name: "rel", Namespace: "ns", Revision: 1, IsInstall: true}
	top, err := util.ToRenderValues(chart, values, options, nil)
	if err != nil {
		return nil, err
	}
	return engine.Render(chart, top)
}

func main() {
	// Values that contain themselves end this process: soon, and not with a gigabyte of stack.
	debug.SetMaxStack(64 << 20)
	log.SetOutput(io.Discard)
	slog.SetDefault(slog.New(slog.DiscardHandler))
	in, out := bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	for {
		line, err := in.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			var q question
			if err := json.Unmarshal(line, &q); err != nil {
				log.Fatal(err)
			}
			var a answer
			if a.Rendered, err = render(q); err != nil {
				a = answer{Error: err.Error()}
			}
			if err := encoder.Encode(a); err != nil {
				log.Fatal(err)
			}
			// Whoever asks one question at a time waits for the answer.
			if in.Buffered() == 0 {
				out.Flush()
			}
			continue
		}
		if err != nil {
			break
		}
	}
	out.Flush()
}
