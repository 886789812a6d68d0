package reference

import (
	"strings"

	"github.com/hongyan-im/hongyan/internal/instrument"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// metricGaps fills the page of the metrics.
func metricGaps(l language) map[string]string {
	in := func(t instrument.Text) string { return l.pick(vendors.Bilingual(t)) }
	kinds := map[instrument.Kind]vendors.Bilingual{
		instrument.Counter: text("counter", "计数器"), instrument.Gauge: text("gauge", "瞬时值"), instrument.Histogram: text("histogram", "直方图"),
	}
	var b strings.Builder
	for _, g := range instrument.Groups() {
		var rows [][]string
		for _, m := range g.Metrics {
			var labels []string
			for _, name := range m.Labels {
				labels = append(labels, code(name))
			}
			rows = append(rows, []string{code(m.Exported()), l.pick(kinds[m.Kind]), strings.Join(labels, " "), cell(in(m.Means)), cell(in(m.Normal))})
		}
		b.WriteString("\n### " + in(g.Title) + "\n\n" + table([]string{
			l.pick(text("metric", "指标")), l.pick(text("kind", "类型")), l.pick(text("labels", "标签")), l.pick(text("what", "含义")), l.pick(text("what is normal", "正常时")),
		}, rows))
	}
	return map[string]string{"Metrics": strings.TrimLeft(b.String(), "\n")}
}
