package deploy_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

type grafana struct {
	UID, Title string
	Panels     []panel
	Templating struct {
		List []struct{ Name, Query string }
	}
}

type panel struct {
	ID                       int
	Title, Description, Type string
	Datasource               struct{ UID string }
	GridPos                  struct{ X, Y, W, H int }
	Targets                  []struct{ Expr, LegendFormat string }
}

func dashboard(t *testing.T) grafana {
	t.Helper()
	text, err := os.ReadFile("../grafana/dashboards/hongyan.json")
	if err != nil {
		t.Fatal(err)
	}
	var d grafana
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// Every panel asks what Prometheus understands, says what it shows, and lies over no other.
func TestDashboard(t *testing.T) {
	t.Parallel()
	d := dashboard(t)
	if d.UID != "hongyan" || len(d.Panels) == 0 {
		t.Fatalf("the dashboard %q has %d panels", d.UID, len(d.Panels))
	}
	ids, places := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("the panel %q has another's id", p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := places[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("the panel %q lies over %q", p.Title, other)
				}
				places[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Title == "" || p.Description == "" || len(p.Targets) == 0 {
			t.Errorf("the panel %q says or shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			expr := regexp.MustCompile(`\$(vendor|certificate|app)`).ReplaceAllString(strings.ReplaceAll(target.Expr, "$__rate_interval", "5m"), ".*")
			if _, err := promqlParser.ParseExpr(expr); err != nil {
				t.Errorf("the panel %q: %v", p.Title, err)
			}
		}
	}
}
