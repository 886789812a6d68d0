package main

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestMean(t *testing.T) {
	// The values' standard deviation is 2, so their standard error is 2/√4 = 1.
	if m, reach := mean([]float64{7, 7 + math.Sqrt(6), 7 - math.Sqrt(6), 7}); m != 7 || math.Abs(reach-2.2) > 1e-9 {
		t.Errorf("the mean is %v ± %v, want 7 ± 2.2", m, reach)
	}
}

// An interval of 95 % misses the true mean in about one sample of twenty.
func TestMeanReaches(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const samples = 5000
	missed := 0
	for range samples {
		values := make([]float64, limitRounds)
		for i := range values {
			values[i] = 3 + 5*rng.NormFloat64()
		}
		if m, reach := mean(values); math.Abs(m-3) > reach {
			missed++
		}
	}
	if missed < samples*4/100 || missed > samples*6/100 {
		t.Errorf("%d of %d samples miss the true mean, want about 5 %%", missed, samples)
	}
}
