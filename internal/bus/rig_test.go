package bus_test

import "github.com/hongyan-im/hongyan"

func hongyanSubjects(prefix string) hongyan.Subjects { return hongyan.Subjects{Prefix: prefix} }
