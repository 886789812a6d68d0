package instrument

// The labels of what is sent, from the metric's vendor to the vendor's answer.
var (
	ofLane = []string{"vendor", "certificate", "lane"}
	ofWord = []string{"vendor", "certificate", "lane", "reason"}
)

// The bounds of durations, in seconds, and of sizes of calls, in devices.
var (
	durations = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 3600}
	sizes     = []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}
)

// What comes in, and what becomes of it.
var (
	Messages = Metric{Name: "hongyan.messages", Kind: Counter, Unit: "{message}", Labels: []string{"app", "result"},
		Means: Text{"message events and pieces of large ones, by what became of them: `planned`, `divided` into pieces, `malformed`, or `exhausted` where it was taken too often",
			"消息事件和大事件的分片，按处理结果：`planned` 处理完，`divided` 已分片，`malformed` 读不懂，`exhausted` 取走次数过多"},
		Normal: Text{"grows as the backend publishes; `malformed` and `exhausted` stay where they are", "随后端发布而增长；`malformed` 和 `exhausted` 不增长"}}
	Signals = Metric{Name: "hongyan.signals", Kind: Counter, Unit: "{signal}", Labels: []string{"app", "type", "result"},
		Means: Text{"recalls and read marks: `marked` where it is remembered, `known` where it says nothing new, `late` where it is older than it would be remembered, `foreign` where no worker serves its app",
			"撤回和已读：`marked` 已记住，`known` 没有新内容，`late` 已过保留期限，`foreign` 没有 worker 服务该 App"},
		Normal: Text{"nearly all are `marked`; many `late` ones mean a backend with a wrong clock, or one that was away", "几乎都是 `marked`；`late` 很多说明后端时钟不准，或停过一段时间"}}
	Ignored = Metric{Name: "hongyan.ignored", Kind: Counter, Unit: "{input}", Labels: []string{"kind"},
		Means: Text{"input that was ignored, or [taken all the same](messages.md#what-is-taken-all-the-same)",
			"被忽略的输入，或[照样接受](messages.zh-CN.md#照样接受的写法)的输入"},
		Normal: Text{"steady; a kind that appears with a release of the backend is a mistake in it", "平稳；后端发版后新出现的种类是它的错误"}}
	Suppressed = Metric{Name: "hongyan.suppressed", Kind: Counter, Unit: "{device}", Labels: []string{"app", "reason"},
		Means: Text{"devices that were not pushed to", "没有推送的设备"},
		Normal: Text{"follows what people do: mostly `foreground`, `no_device` and `own_message`; `unknown_certificate` means a configuration that lacks one",
			"随用户行为而变，多为 `foreground`、`no_device` 和 `own_message`；出现 `unknown_certificate` 说明配置里缺少该证书"}}
	Jobs = Metric{Name: "hongyan.jobs", Kind: Counter, Unit: "{job}", Labels: ofLane,
		Means:  Text{"jobs planned, sent at once or stored", "产生的任务，立刻发送的和存下来的都算"},
		Normal: Text{"grows as messages do", "随消息增长"}}
	Attempts = Metric{Name: "hongyan.attempts", Kind: Counter, Unit: "{device}", Labels: ofWord,
		Means: Text{"results of vendor calls, one for each device", "调用厂商的结果，每台设备一个"},
		Normal: Text{"nearly all `accepted`, a few `bad_token`; `bad_credentials`, `quota_spent` and `unknown` need a person",
			"几乎都是 `accepted`，少量 `bad_token`；`bad_credentials`、`quota_spent`、`unknown` 需要人处理"}}
	Outcomes = Metric{Name: "hongyan.outcomes", Kind: Counter, Unit: "{device}", Labels: ofWord,
		Means:  Text{"devices done with: accepted by the vendor, or dead", "已有终局的设备：厂商收下，或死信"},
		Normal: Text{"nearly all `accepted`; the share of the others is what people miss", "几乎都是 `accepted`；其余的占比就是用户没收到的"}}
	Latency = Metric{Name: "hongyan.latency", Kind: Histogram, Unit: "s", Labels: ofLane, Bounds: durations,
		Means:  Text{"from the message's publication to the vendor's acceptance", "从消息发布到厂商收下"},
		Normal: Text{"the time of a vendor call and some milliseconds; more while something waits", "一次厂商调用的时间加几毫秒；有等待时更长"}}
	StageDuration = Metric{Name: "hongyan.stage.duration", Kind: Histogram, Unit: "s", Labels: []string{"stage", "vendor", "certificate", "lane"}, Bounds: durations,
		Means: Text{"how long the steps of a push took: `taken` from the message's storage to a worker's hand, `planned` from there to its jobs (both with `none` as vendor and certificate), `waited` of the first job of a call from its plan to the call, `called` the vendor call itself, `stored` from the first answer to the stored record (`none` again)",
			"推送各步的耗时：`taken` 从消息入库到被 worker 取走，`planned` 从取走到产生任务（这两步的厂商和证书为 `none`），`waited` 一次调用的第一个任务从产生到调用，`called` 厂商调用本身，`stored` 从第一个应答到记录入库（同样为 `none`）"},
		Normal: Text{"all but `called` take milliseconds; `taken` grows where workers are too few, `waited` where a rate or the concurrency holds pushes back, `stored` where NATS is slow",
			"除 `called` 外都是毫秒级；`taken` 变长说明 worker 不够，`waited` 变长说明被速率或并发数限制，`stored` 变长说明 NATS 慢"}}
	BatchSize = Metric{Name: "hongyan.batch.size", Kind: Histogram, Unit: "{device}", Labels: ofLane, Bounds: sizes,
		Means:  Text{"devices in a vendor call; vendors that take one a call are not there", "一次厂商调用的设备数；每次只推一台设备的厂商不出现"},
		Normal: Text{"grows with large groups and with load", "随大群和负载变大"}}
)

// What waits.
var (
	Backlog = Metric{Name: "hongyan.backlog", Kind: Gauge, Unit: "{job}", Labels: []string{"vendor"},
		Means: Text{"stored jobs that wait or are under way, without those in `PUSH_LATER`; as `none` message events that are not done with",
			"存着的任务，等待中和处理中的都算，不含 `PUSH_LATER` 里的；`none` 为还没处理完的消息事件"},
		Normal: Text{"near 0; `none` about what is under way", "接近 0；`none` 大约是正在处理的数量"}}
	Oldest = Metric{Name: "hongyan.oldest", Kind: Gauge, Unit: "s", Labels: []string{"vendor", "certificate"},
		Means: Text{"for how long the oldest of these has been stored, for each certificate; as `none` of the message events",
			"其中最旧的一条存了多久，按证书；`none` 为消息事件"},
		Normal: Text{"below a few seconds; a certificate's grows while it is parked, over its rate or its quota", "几秒以内；证书停用、超速率或配额用完时增长"}}
	Untaken = Metric{Name: "hongyan.messages.untaken", Kind: Gauge, Unit: "{message}",
		Means: Text{"message events, signals and pieces of large events that no worker has taken yet; every worker shows the same, of all. Kubernetes [scales](deploy.md#kubernetes) by it",
			"还没有 worker 取走的消息事件、信号和大事件的分片；每个 worker 显示的都一样，是总数。Kubernetes [按它扩缩](deploy.zh-CN.md#kubernetes)"},
		Normal: Text{"near 0; it grows where the workers are too few", "接近 0；worker 不够时增长"}}
	Looked = Metric{Name: "hongyan.looked", Kind: Counter, Unit: "{device}", Labels: []string{"result"},
		Means: Text{"devices of messages and jobs that were taken again, by what the look at the records said: `done`, `pushed`, or `unread` where there were more records than a look reads; see [When NATS does not store](operations.md#when-nats-does-not-store)",
			"再次被取走的消息和任务的设备，按对照记录的结果：`done` 已有终局，`pushed` 照常推送，`unread` 记录太多没有读完；见 [NATS 存不进去时](operations.zh-CN.md#nats-存不进去时)"},
		Normal: Text{"grows when a worker was killed or NATS was away, not otherwise", "只在 worker 被杀或 NATS 中断之后增长"}}
)

// Certificates, limits and clocks.
var (
	Parked = Metric{Name: "hongyan.parked", Kind: Gauge, Unit: "{certificate}", Labels: []string{"vendor", "certificate"},
		Means:  Text{"1 while a certificate is parked", "证书停用期间为 1"},
		Normal: Text{"0; 1 for long means refused credentials or a vendor that is down", "0；长时间为 1 说明密钥或凭据被拒绝，或厂商故障"}}
	ParkedKind = Metric{Name: "hongyan.parked_kind", Kind: Gauge, Unit: "{kind}", Labels: []string{"vendor", "certificate", "kind"},
		Means: Text{"1 while pushes of one kind (`c2c`, `group`, `call`, `mention`) are parked; a kind that never was is not there",
			"某一类推送（`c2c`、`group`、`call`、`mention`）停用期间为 1；从未停用过的类不出现"},
		Normal: Text{"absent or 0; 1 means a wrong channel or template for the kind", "不出现或为 0；1 说明该类的通道或模板不对"}}
	Held = Metric{Name: "hongyan.held", Kind: Gauge, Unit: "{certificate}", Labels: []string{"vendor", "certificate"},
		Means:  Text{"1 while an operator [holds](limits.md#held-by-hand) the certificate or its app", "运维人员[扣留](limits.zh-CN.md#手工扣留)证书或其应用期间为 1"},
		Normal: Text{"absent or 0; 1 until somebody releases it", "不出现或为 0；为 1 直到有人放行"}}
	QuotaLimit = Metric{Name: "hongyan.quota.limit", Kind: Gauge, Unit: "{device}", Labels: []string{"vendor", "certificate", "class", "pool"},
		Means: Text{"the day's quota of a message class, `normal` and the reserve for calls (`urgent`) apart; unlimited classes are not there",
			"某个消息类别当天的配额，`normal` 和留给通话的 `urgent` 分开；不限量的类别不出现"},
		Normal: Text{"what the configuration or the vendor's page says", "与配置或厂商公布的一致"}}
	QuotaLeft = Metric{Name: "hongyan.quota.left", Kind: Gauge, Unit: "{device}", Labels: []string{"vendor", "certificate", "class", "pool"},
		Means: Text{"what is left of it today, for all workers together; no worker need be asked twice, each shows the same",
			"当天还剩多少，是所有 worker 合计；每个 worker 显示的都一样"},
		Normal: Text{"falls through the vendor's day and is whole again after its midnight; 0 makes what comes later wait or die", "在厂商的一天里下降，午夜后恢复；为 0 时后来的推送等待或成为死信"}}
	QuotaForecast = Metric{Name: "hongyan.quota.forecast", Kind: Gauge, Unit: "s", Labels: []string{"vendor", "certificate", "class", "pool"},
		Means: Text{"when the quota will be used up, in Unix time, by [the forecast](limits.md) of `publisher limits`; not there where it lasts the day, or too little is known",
			"按 `publisher limits` 的[预测](limits.zh-CN.md#配额何时用完)，配额用完的时间（Unix 时间）；够用一天或所知太少时不出现"},
		Normal: Text{"absent; a time today means that pushes will wait or die from then on", "不出现；今天的某个时间说明从那时起推送会等待或成为死信"}}
	CredentialExpiry = Metric{Name: "hongyan.credential.expiry", Kind: Gauge, Unit: "s", Labels: []string{"vendor", "certificate", "credential"},
		Means: Text{"when a credential ends, in Unix time: `certificate` that a worker shows, `token` that was fetched or signed last. Keys without an end are not there",
			"凭据的到期时间（Unix 时间）：`certificate` 为 worker 出示的证书，`token` 为最近取得或签发的令牌。没有期限的密钥不出现"},
		Normal: Text{"a `certificate` weeks ahead; a `token` is renewed by itself before it ends, so one in the past means that nothing was sent since, or that renewals fail",
			"`certificate` 在几周之后；`token` 到期前自动更新，已过期说明之后没有推送，或更新失败"}}
	ClockSkew = Metric{Name: "hongyan.clock.skew", Kind: Gauge, Unit: "s", Labels: []string{"against", "certificate"},
		Means: Text{"how far another clock is ahead of the worker's (behind where it is negative): `against` is `nats` or the vendor, whose Date header tells whole seconds",
			"对方的时钟比 worker 快多少（慢则为负）：`against` 为 `nats` 或厂商，厂商的 Date 头只精确到秒"},
		Normal: Text{"within a second; beyond a minute signatures and tokens are refused, and lifetimes of messages are wrong", "一秒以内；超过一分钟时签名和令牌会被拒绝，消息的有效期也不准"}}
)

// What is stored.
var (
	Ready = Metric{Name: "hongyan.ready", Kind: Gauge, Unit: "{worker}",
		Means:  Text{"1 while the worker takes messages, as /readyz says", "worker 在取消息时为 1，与 /readyz 一致"},
		Normal: Text{"1; 0 for moments while it starts, stops, or NATS elects a leader", "为 1；启动、停止或 NATS 选主时短暂为 0"}}
	ConfigReloads = Metric{Name: "hongyan.config.reloads", Kind: Counter, Unit: "{reload}", Labels: []string{"result"},
		Means:  Text{"configurations that were loaded while the worker ran: `loaded`, or `refused`", "运行中载入配置的次数：`loaded` 载入，`refused` 拒绝"},
		Normal: Text{"one `loaded` for each change", "每次改动一次 `loaded`"}}
	ConfigRefused = Metric{Name: "hongyan.config.refused", Kind: Gauge, Unit: "{config}",
		Means:  Text{"1 while the configuration that stands in the file was refused, and the one before it is in force", "文件里的配置被拒绝、沿用之前的配置时为 1"},
		Normal: Text{"0; the log says what is wrong", "为 0；日志里说明哪里不对"}}
	CopiesMissing = Metric{Name: "hongyan.stream.copies.missing", Kind: Gauge, Unit: "{copy}", Labels: []string{"stream"},
		Means: Text{"copies of a stream whose NATS server is away or far behind, and one more where nobody leads the stream",
			"流的副本中，所在 NATS 服务器不在线或远远落后的份数，没有 leader 时再加一"},
		Normal: Text{"0; 1 for a moment in an election, for long while a server is away", "为 0；选主时短暂为 1，服务器不在线期间一直为 1"}}
	Unstored = Metric{Name: "hongyan.unstored", Kind: Gauge, Unit: "By", Labels: []string{"stream"},
		Means: Text{"what became of pushes and waits in the worker's memory to be stored; `held` are the messages that are kept for it",
			"推送结果在内存里等待存储的字节数；`held` 为因此保留的消息"},
		Normal: Text{"what is under way for some milliseconds; megabytes mean that NATS does not store", "几毫秒内在途的数量；达到兆字节说明 NATS 存不进去"}}
	StoreFailures = Metric{Name: "hongyan.store.failures", Kind: Counter, Unit: "{message}", Labels: []string{"stream"},
		Means: Text{"records, jobs, letters and pieces that a stream did not take at a try; each is tried again until it is stored",
			"某次存储没有成功的记录、任务、死信和分片；每一条都会重试直到存入"},
		Normal: Text{"stays where it is; grows in an election for a moment, for long where a stream is full", "不增长；选主时短暂增长，流写满时持续增长"}}
	Paused = Metric{Name: "hongyan.paused", Kind: Gauge, Unit: "{lane}", Labels: ofLane,
		Means: Text{"1 while attempts pause because what became of earlier ones cannot be stored; see [When NATS does not store](operations.md#when-nats-does-not-store)",
			"因为之前的结果存不进去而暂停新的推送时为 1；见 [NATS 存不进去时](operations.zh-CN.md#nats-存不进去时)"},
		Normal: Text{"0", "0"}}
)

// What is kept in memory.
var (
	DirectoryLookups = Metric{Name: "hongyan.directory.lookups", Kind: Counter, Unit: "{user}", Labels: []string{"result"},
		Means: Text{"users looked up: `hit` where the cache knew them, `miss` where they were read, `confirmed` where a suppression was asked for again; see [The directory in memory](deploy.md#the-directory-in-memory)",
			"查询的用户：`hit` 内存里有，`miss` 读取，`confirmed` 抑制之前再次确认；见[内存里的目录](deploy.zh-CN.md#内存里的目录)"},
		Normal: Text{"mostly `hit` once the workers are warm", "运行一段时间后多为 `hit`"}}
	DirectoryDropped = Metric{Name: "hongyan.directory.cache_dropped", Kind: Counter, Unit: "{drop}",
		Means:  Text{"times that the whole cache was dropped because changes may have been missed", "因为可能漏掉变化而全部忘掉的次数"},
		Normal: Text{"grows with elections and lost connections alone", "只随选主和断线增长"}}
	DirectoryUsers = Metric{Name: "hongyan.directory.cached_users", Kind: Gauge, Unit: "{user}",
		Means:  Text{"users in the cache, known and unknown ones", "内存里的用户，包括没有登记的"},
		Normal: Text{"those who got messages lately, as far as the memory lasts", "最近收到消息的用户，以内存为限"}}
	DirectoryBytes = Metric{Name: "hongyan.directory.cached", Kind: Gauge, Unit: "By",
		Means:  Text{"what the cache takes, about", "大约占用的内存"},
		Normal: Text{"at most 64 MiB", "不超过 64 MiB"}}
	MarksAsked = Metric{Name: "hongyan.marks.asked", Kind: Counter, Unit: "{message}", Labels: []string{"result"},
		Means: Text{"messages and jobs compared with recalls, read marks and ends of calls: `memory` where that knew all, `read` where the stream was read; see [Marks in memory](deploy.md#marks-in-memory)",
			"与撤回、已读和通话结束对照的消息和任务：`memory` 内存里都有，`read` 读了流；见[内存里的标记](deploy.zh-CN.md#内存里的标记)"},
		Normal: Text{"nearly all `memory`", "几乎都是 `memory`"}}
	MarksRemembered = Metric{Name: "hongyan.marks.remembered", Kind: Gauge, Unit: "{mark}",
		Means:  Text{"marks in the memory", "内存里的标记"},
		Normal: Text{"the signals of a day, at most a million for each app", "一天的信号，每个应用至多一百万条"}}
)

// Registrations and numbers on icons.
var (
	DroppedRegistrations = Metric{Name: "hongyan.dropped_registrations", Kind: Counter, Unit: "{registration}", Labels: []string{"vendor", "certificate"},
		Means:  Text{"registrations removed because a vendor called the token dead", "因厂商说 token 已失效而删除的登记"},
		Normal: Text{"a few, as apps are uninstalled; a jump means a wrong environment or project", "少量，随应用卸载产生；突增说明环境或项目不对"}}
	MovedRegistrations = Metric{Name: "hongyan.moved_registrations", Kind: Counter, Unit: "{registration}",
		Means:  Text{"registrations removed because [their token was registered again](messages.md#devices)", "因[token 又被登记](messages.zh-CN.md#设备)而删除的登记"},
		Normal: Text{"a few, as people change accounts and install anew", "少量，随换账号和重装产生"}}
	BadgeRefreshes = Metric{Name: "hongyan.badge.refreshes", Kind: Counter, Unit: "{device}", Labels: []string{"vendor", "certificate", "reason"},
		Means:  Text{"numbers on icons that were changed without a notification", "不带通知、只改角标数字的次数"},
		Normal: Text{"nearly all `accepted`, where an app counts (`policy.badge`)", "几乎都是 `accepted`，只在应用使用 `policy.badge` 计数时有"}}
	BadgeRefreshesLost = Metric{Name: "hongyan.badge.refreshes_lost", Kind: Counter, Unit: "{device}", Labels: []string{"cause"},
		Means:  Text{"numbers on icons that moved and were not changed: `full` where too many users wait, `unread` where the right number could not be read (one for each user); `parked` or `limited` where the vendor was not to be called (one for each device)", "变了却没有改成的角标数字：`full` 等待的用户太多，`unread` 读不到正确的数字（每个用户一次）；`parked`、`limited` 当时不该调用厂商（每台设备一次）"},
		Normal: Text{"few: the next push carries the number", "很少：下一条推送会带上数字"}}
)

// Groups lists every metric, in the order of the page about them.
func Groups() []Group {
	return []Group{
		{Text{"What comes in, and what becomes of it", "收到什么，结果如何"}, []*Metric{&Messages, &Signals, &Ignored, &Suppressed, &Jobs, &Attempts, &Outcomes, &Latency, &StageDuration, &BatchSize}},
		{Text{"What waits", "等待中的"}, []*Metric{&Untaken, &Backlog, &Oldest, &Looked}},
		{Text{"Certificates, limits and clocks", "证书、限额与时钟"}, []*Metric{&ConfigReloads, &ConfigRefused, &Parked, &ParkedKind, &Held, &QuotaLimit, &QuotaLeft, &QuotaForecast, &CredentialExpiry, &ClockSkew}},
		{Text{"What is stored", "存储"}, []*Metric{&Ready, &CopiesMissing, &Unstored, &StoreFailures, &Paused}},
		{Text{"What is kept in memory", "内存里的"}, []*Metric{&DirectoryLookups, &DirectoryDropped, &DirectoryUsers, &DirectoryBytes, &MarksAsked, &MarksRemembered}},
		{Text{"Registrations, and numbers on icons", "登记与角标"}, []*Metric{&DroppedRegistrations, &MovedRegistrations, &BadgeRefreshes, &BadgeRefreshesLost}},
	}
}
