package octavo

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Whole jobs on the bundled model, whose directory OCTAVO_MODEL names.

const (
	colour = "What colour is the small triangle?" // eval.jsonl: blue
	place  = "Where is the purple circle?"
)

func open(t *testing.T) *Model {
	t.Helper()
	model, err := Open(os.Getenv("OCTAVO_MODEL"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(model.Close)
	return model
}

func question(t *testing.T, text string) []Message {
	t.Helper()
	picture, err := os.ReadFile(filepath.Join(os.Getenv("OCTAVO_MODEL"), "eval", "000.png"))
	if err != nil {
		t.Fatal(err)
	}
	return Question(text, picture)
}

func generate(t *testing.T, model *Model, text string, options Options) *Answer {
	t.Helper()
	if options.Sampling == nil {
		options.Sampling = Greedy
	}
	answer, err := model.Generate(context.Background(), question(t, text), options)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestQuestionAboutAPicture(t *testing.T) {
	answer := generate(t, open(t), colour, Options{})
	if answer.Text != "blue" || answer.FinishReason != Stop || len(answer.Tokens) == 0 || answer.PromptTokens < 10 {
		t.Errorf("%+v", answer)
	}
}

func TestAnswerAsItComes(t *testing.T) {
	model := open(t)
	var pieces []string
	collect := func(text string) bool { pieces = append(pieces, text); return true }
	answer := generate(t, model, place, Options{OnText: collect})
	if strings.Join(pieces, "") != answer.Text || len(pieces) < 5 {
		t.Errorf("%q of %q", pieces, answer.Text)
	}
	count := 0
	stopped := generate(t, model, place, Options{OnText: func(string) bool { count++; return count < 3 }})
	if stopped.FinishReason != Returned || count != 3 {
		t.Errorf("%+v after %d", stopped, count)
	}
}

func TestOptions(t *testing.T) {
	model := open(t)
	if answer := generate(t, model, place, Options{MaxNewTokens: 2}); len(answer.Tokens) != 2 || answer.FinishReason != Length {
		t.Errorf("%+v", answer)
	}
	if answer := generate(t, model, place, Options{Stop: []string{"bbox"}}); answer.Text != "{\"" {
		t.Errorf("%+v", answer)
	}
	hot := func(seed uint64) string {
		sampling := &Sampling{Temperature: 3, TopP: 1, Seed: seed}
		return generate(t, model, place, Options{MaxNewTokens: 16, Sampling: sampling}).Text
	}
	if hot(1) != hot(1) || hot(1) == hot(2) {
		t.Error("a seed says which tokens are drawn")
	}
}

func TestGoroutinesShareAModel(t *testing.T) {
	model := open(t)
	var group sync.WaitGroup
	for i := 0; i < 4; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			if answer := generate(t, model, colour, Options{}); answer.Text != "blue" {
				t.Errorf("%+v", answer)
			}
		}()
	}
	group.Wait()
}

func TestContextEnds(t *testing.T) {
	model := open(t)
	ctx, cancel := context.WithCancel(context.Background())
	slow := func(string) bool { cancel(); time.Sleep(20 * time.Millisecond); return true }
	_, err := model.Generate(ctx, question(t, place), Options{OnText: slow, Sampling: Greedy})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := model.Generate(ctx, question(t, place), Options{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	generate(t, model, colour, Options{})
}

func TestPanicComesBackToItsCaller(t *testing.T) {
	model := open(t)
	func() {
		defer func() {
			if recovered := recover(); recovered != "of the callback" {
				t.Errorf("%v", recovered)
			}
		}()
		generate(t, model, place, Options{OnText: func(string) bool { panic("of the callback") }})
	}()
	generate(t, model, colour, Options{})
}

func TestQuantizeAndVerify(t *testing.T) {
	model, out := os.Getenv("OCTAVO_MODEL"), filepath.Join(t.TempDir(), "w8a8")
	calibration, ctx := filepath.Join(model, "calib", "calibration.jsonl"), context.Background()
	stages := 0
	options := QuantizeOptions{Calibration: calibration, Progress: func(string, int64, int64) bool { stages++; return true }}
	report, err := Quantize(ctx, model, out, options)
	if err != nil || !strings.Contains(report, `"layers"`) || stages < 10 {
		t.Fatal(err, stages)
	}
	var failure *Error
	if _, err = Quantize(ctx, model, out, options); !errors.As(err, &failure) || failure.Kind != Exists {
		t.Error(err)
	}
	samples := filepath.Join(model, "eval", "eval.jsonl")
	passed, document, err := Verify(ctx, model, out, VerifyOptions{Samples: samples, MaxSamples: 48})
	if err != nil || !passed || !strings.Contains(document, `"verdict"`) {
		t.Error(passed, err)
	}
	options.Progress = func(string, int64, int64) bool { return false }
	if _, err = Quantize(ctx, model, out+"2", options); !errors.As(err, &failure) || failure.Kind != Cancelled {
		t.Error(err)
	}
	if _, err := os.Stat(out + "2"); !os.IsNotExist(err) {
		t.Error("something is left of a job that was cancelled")
	}
}

func TestErrors(t *testing.T) {
	var failure *Error
	_, err := Open("/nowhere/at/all")
	if !errors.As(err, &failure) || failure.Kind != NotFound || !strings.Contains(err.Error(), "/nowhere/at/all") {
		t.Error(err)
	}
	if NotFound.String() != "not_found" || failure.Shape != nil {
		t.Error(NotFound, failure.Shape)
	}
	model := open(t)
	for _, picture := range [][]byte{[]byte("no picture"), {}} {
		_, err = model.Generate(context.Background(), Question("What?", picture), Options{})
		if !errors.As(err, &failure) || failure.Kind != Format {
			t.Error(err)
		}
	}
	_, err = model.Generate(context.Background(), Question("a\x00b"), Options{})
	if !errors.As(err, &failure) || failure.Kind != InvalidArgument {
		t.Error(err)
	}
	model.Close()
	if _, err = model.Generate(context.Background(), Question("What?"), Options{}); err != errClosed {
		t.Error(err)
	}
	err = CheckContract("linear: x[M,K] w[N,K] -> y[M,N]", "layer.0", Argument{"x", []int64{4, 8}}, Argument{"w", []int64{3, 6}})
	if !errors.As(err, &failure) || failure.Kind != ShapeMismatch || failure.Shape == nil {
		t.Fatal(err)
	}
	want := ShapeError{"linear", "layer.0", "w", failure.Shape.DimName, 1, 8, 6}
	if *failure.Shape != want || !strings.Contains(failure.Shape.DimName, "K") {
		t.Errorf("%+v", failure.Shape)
	}
}
