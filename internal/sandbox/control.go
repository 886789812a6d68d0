package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// control adds the control API and the page under /sandbox/. A page of another origin may not
// change anything through a browser.
func (s *Server) control() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sandbox/api/vendors", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, s.cards()) })
	mux.HandleFunc("GET /sandbox/api/pushes", s.getPushes)
	mux.HandleFunc("GET /sandbox/api/events", s.getEvents)
	mux.HandleFunc("GET /sandbox/api/counts", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, s.allCounts()) })
	mux.HandleFunc("GET /sandbox/api/violations", s.getViolations)
	mux.HandleFunc("GET /sandbox/api/faults", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, s.Faults()) })
	mux.HandleFunc("GET /sandbox/api/faults/{id}", s.getFault)
	mux.HandleFunc("POST /sandbox/api/faults", s.postFault)
	mux.HandleFunc("DELETE /sandbox/api/faults", s.deleteFaults)
	mux.HandleFunc("DELETE /sandbox/api/faults/{id}", s.deleteFault)
	mux.HandleFunc("GET /sandbox/api/dead", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, s.DeadTokens()) })
	mux.HandleFunc("POST /sandbox/api/dead", s.changeDead(s.Kill))
	mux.HandleFunc("DELETE /sandbox/api/dead", s.changeDead(s.Revive))
	mux.HandleFunc("/sandbox/api/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, fmt.Errorf("no such call: %s %s; see docs/sandbox.md", r.Method, r.URL.Path))
	})
	mux.Handle("/sandbox/", page(looks(s.fakes)))
	s.mux.Handle("/sandbox/", http.NewCrossOriginProtection().Handler(mux))
	s.mux.Handle("GET /{$}", http.RedirectHandler("/sandbox/", http.StatusFound))
}

// getPushes lists the remembered pushes: after=SEQ those that came later, vendor=V those of one
// vendor, phone=P those to the phone or token of this name, limit=N the newest N of them.
func (s *Server) getPushes(w http.ResponseWriter, r *http.Request) {
	after, errAfter := number(r, "after")
	limit, errLimit := number(r, "limit")
	vendor, errVendor := s.vendorIn(r)
	if err := errors.Join(errAfter, errLimit, errVendor); err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	pushes := s.PushesAfter(after)
	if vendor != "" {
		pushes = slices.DeleteFunc(pushes, func(p Push) bool { return p.Vendor != vendor })
	}
	if phone := r.FormValue("phone"); phone != "" {
		pushes = slices.DeleteFunc(pushes, func(p Push) bool { return p.Phone != phone && p.Token != phone })
	}
	if over := int64(len(pushes)) - limit; limit > 0 && over > 0 {
		pushes = pushes[over:]
	}
	answer(w, http.StatusOK, pushes)
}

func (s *Server) getViolations(w http.ResponseWriter, r *http.Request) {
	vendor, err := s.vendorIn(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	answer(w, http.StatusOK, slices.DeleteFunc(s.Violations(), func(v Violation) bool { return vendor != "" && v.Vendor != vendor }))
}

// allCounts returns the counts of every vendor, including those without a call.
func (s *Server) allCounts() map[string]Counts {
	counts := s.Counts()
	for _, v := range s.vendors() {
		if _, ok := counts[v]; !ok {
			counts[v] = Counts{}
		}
	}
	return counts
}

func (s *Server) getFault(w http.ResponseWriter, r *http.Request) {
	faults := s.Faults()
	i := slices.IndexFunc(faults, func(f Fault) bool { return strconv.Itoa(f.ID) == r.PathValue("id") })
	if i < 0 {
		refuse(w, http.StatusNotFound, noFault(r))
		return
	}
	answer(w, http.StatusOK, faults[i])
}

func (s *Server) postFault(w http.ResponseWriter, r *http.Request) {
	var f Fault
	err := read(r, &f)
	if err == nil {
		err = errors.Join(f.problems(s.vendors())...)
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	f.ID = s.Arm(f)
	w.Header().Set("Location", "/sandbox/api/faults/"+strconv.Itoa(f.ID))
	answer(w, http.StatusCreated, f)
}

// deleteFaults clears every fault, or with vendor=V those of one vendor.
func (s *Server) deleteFaults(w http.ResponseWriter, r *http.Request) {
	vendor, err := s.vendorIn(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	answer(w, http.StatusOK, map[string]int{"cleared": s.Clear(vendor, 0)})
}

func (s *Server) deleteFault(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil || id <= 0 || s.Clear("", id) == 0 {
		refuse(w, http.StatusNotFound, noFault(r))
		return
	}
	answer(w, http.StatusOK, map[string]int{"cleared": 1})
}

func noFault(r *http.Request) error {
	return fmt.Errorf("no fault %q is armed: it was cleared, or has struck as often as it should", r.PathValue("id"))
}

// changeDead kills or revives the token that the body names.
func (s *Server) changeDead(change func(vendor, token string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var device struct {
			Vendor string `json:"vendor"`
			Token  string `json:"token"`
		}
		err := read(r, &device)
		if err == nil {
			err = checkVendor(s.vendors(), device.Vendor)
			if device.Token == "" {
				err = errors.Join(err, errors.New("token is required: the device token that is, or is no longer, dead"))
			}
		}
		if err != nil {
			refuse(w, http.StatusBadRequest, err)
			return
		}
		change(device.Vendor, device.Token)
		answer(w, http.StatusOK, device)
	}
}

// read decodes the request's JSON object strictly.
func read(r *http.Request, into any) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	if err != nil {
		return fmt.Errorf("read the body: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("the body must be one JSON object: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if decoder.More() {
		return errors.New("the body must be one JSON object: there is more behind it")
	}
	return nil
}

func number(r *http.Request, key string) (int64, error) {
	text := r.FormValue(key)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s is %q: it must be a whole number, 0 or more", key, text)
	}
	return n, nil
}

// vendorIn is the query's vendor, empty for all.
func (s *Server) vendorIn(r *http.Request) (string, error) {
	vendor := r.FormValue("vendor")
	if vendor == "" {
		return "", nil
	}
	return vendor, checkVendor(s.vendors(), vendor)
}

func checkVendor(vendors []string, vendor string) error {
	if !slices.Contains(vendors, vendor) {
		return fmt.Errorf("vendor %q is unknown: use one of %s", vendor, strings.Join(vendors, ", "))
	}
	return nil
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may have left
}

// refuse answers {"error": "…"}, with a sentence for each thing that is wrong.
func refuse(w http.ResponseWriter, status int, err error) {
	answer(w, status, map[string]string{"error": strings.ReplaceAll(err.Error(), "\n", "; ")})
}
