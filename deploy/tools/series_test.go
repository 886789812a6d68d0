package deploy_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// promqlParser is Prometheus' own, without anything experimental.
var promqlParser = parser.NewParser(parser.Options{})

// sample is a float at a time in milliseconds.
type sample struct {
	t int64
	f float64
}

func (s sample) T() int64                      { return s.t }
func (s sample) ST() int64                     { return 0 }
func (s sample) F() float64                    { return s.f }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }

// series is all that was scraped, in memory, for Prometheus' query engine.
type series struct {
	mu  sync.Mutex
	all map[uint64]*entry
}

type entry struct {
	lset    labels.Labels
	samples []chunks.Sample
}

func newSeries() *series { return &series{all: map[uint64]*entry{}} }

func (s *series) add(lset labels.Labels, at time.Time, f float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.all[lset.Hash()]
	if e == nil {
		e = &entry{lset: lset}
		s.all[lset.Hash()] = e
	}
	e.samples = append(e.samples, sample{at.UnixMilli(), f})
}

// stale ends all series of an instance, as a scrape that fails does.
func (s *series) stale(instance string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.all {
		if e.lset.Get("instance") == instance && e.lset.Get(model.MetricNameLabel) != "up" {
			e.samples = append(e.samples, sample{at.UnixMilli(), math.Float64frombits(value.StaleNaN)})
		}
	}
}

// scraped adds a page of metrics as Prometheus reads it.
func (s *series) scraped(page []byte, contentType, instance string, at time.Time) error {
	p, err := textparse.New(page, contentType, labels.NewSymbolTable(), textparse.ParserOptions{})
	if err != nil {
		return err
	}
	for {
		kind, err := p.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if kind != textparse.EntrySeries {
			continue
		}
		var lset labels.Labels
		p.Labels(&lset)
		_, _, f := p.Series()
		b := labels.NewBuilder(lset)
		b.Set("job", "hongyan").Set("instance", instance)
		s.add(b.Labels(), at, f)
	}
}

// Querier is of storage.Queryable.
func (s *series) Querier(from, to int64) (storage.Querier, error) {
	return &querier{s: s, from: from, to: to}, nil
}

type querier struct {
	s        *series
	from, to int64
}

func (q *querier) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	q.s.mu.Lock()
	defer q.s.mu.Unlock()
	var found []storage.Series
	for _, e := range q.s.all {
		if slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(e.lset.Get(m.Name)) }) {
			continue
		}
		var within []chunks.Sample
		for _, x := range e.samples {
			if x.T() >= q.from && x.T() <= q.to {
				within = append(within, x)
			}
		}
		if len(within) > 0 {
			found = append(found, storage.NewListSeries(e.lset, within))
		}
	}
	slices.SortFunc(found, func(a, b storage.Series) int { return labels.Compare(a.Labels(), b.Labels()) })
	return &set{all: found, at: -1}
}

func (q *querier) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, errors.New("no alert asks for label values")
}

func (q *querier) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, errors.New("no alert asks for label names")
}

func (q *querier) Close() error { return nil }

type set struct {
	all []storage.Series
	at  int
}

func (s *set) Next() bool                        { s.at++; return s.at < len(s.all) }
func (s *set) At() storage.Series                { return s.all[s.at] }
func (s *set) Err() error                        { return nil }
func (s *set) Warnings() annotations.Annotations { return nil }

// rules are the alerts of deploy/prometheus/alerts.yml, as Prometheus reads them: an alert fires
// once its expression has held for its time.
type rules struct {
	engine *promql.Engine
	alerts []rulefmt.Rule
	// since is since when each alert's expression holds, by alert and labels.
	since map[string]map[string]time.Time
}

func loadRules(t *testing.T) *rules {
	t.Helper()
	groups, errs := rulefmt.ParseFile("../prometheus/alerts.yml", false, model.LegacyValidation, promqlParser, nil)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	r := &rules{since: map[string]map[string]time.Time{}, engine: promql.NewEngine(promql.EngineOpts{
		MaxSamples: 1e6, Timeout: time.Minute, EnableAtModifier: true, EnableNegativeOffset: true, Parser: promqlParser,
	})}
	for _, g := range groups.Groups {
		r.alerts = append(r.alerts, g.Rules...)
	}
	if len(r.alerts) == 0 {
		t.Fatal("no alerts")
	}
	return r
}

// eval evaluates all alerts once, and says which fire: each alert with the labels that it fires
// for.
func (r *rules) eval(ctx context.Context, from storage.Queryable, at time.Time) (map[string][]string, error) {
	firing := map[string][]string{}
	for _, a := range r.alerts {
		query, err := r.engine.NewInstantQuery(ctx, from, nil, a.Expr, at)
		if err != nil {
			return nil, err
		}
		result := query.Exec(ctx)
		vector, err := result.Vector()
		if err != nil {
			query.Close()
			return nil, err
		}
		now := map[string]time.Time{}
		for _, x := range vector {
			lset := x.Metric.String()
			now[lset] = at
			if since, ok := r.since[a.Alert][lset]; ok {
				now[lset] = since
			}
			if at.Sub(now[lset]) >= time.Duration(a.For) {
				firing[a.Alert] = append(firing[a.Alert], lset)
			}
		}
		query.Close()
		r.since[a.Alert] = now
	}
	return firing, nil
}

// names are those of the alerts that fire, in order.
func names(firing map[string][]string) []string { return slices.Sorted(maps.Keys(firing)) }
