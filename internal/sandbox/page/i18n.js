// The page's words. A key is a thing on the page; a function takes what is counted.

const english = {
  name: "Hongyan sandbox", skip: "Skip to the notifications", feed: "Notifications", filter: "Show one vendor", all: "All",
  live: "Live", connecting: "Connecting…", lost: "Connection lost, trying again…",
  accepted: "accepted", repeats: "repeats", withdrawn: "withdrawn", refused: "refused", violations: "broken rules", violationsShort: "broken",
  pause: "Pause", resume: n => n ? `Resume (${n})` : "Resume", clear: "Clear view",
  themeAuto: "Theme: auto", themeLight: "Theme: light", themeDark: "Theme: dark", language: "中文",
  emptyTitle: "No notification yet", emptyText: "Each push that a vendor's fake accepts shows up here as its phone would show it. Send one through a worker whose certificates point to this sandbox, or look at what there is:",
  missed: n => `${n} more came too fast to be shown one by one; the counts have them.`,
  vendors: "Vendors", vendor: "vendor", fault: "fault", faults: "Armed faults", noFaults: "Nothing is armed: every vendor answers as it should.",
  clearFaults: "Clear all faults", clearVendor: v => `Clear the faults of ${v}`, armFor: v => `Arm a fault for ${v}`, armShort: "Fault…", always: "until cleared", timesLeft: n => `${n} × left`,
  remove: "Clear this fault", deviceOnly: t => `device ${t}`,
  rules: "Broken rules", noRules: "None: every request kept to the vendors' rules.",
  now: "now", minutes: n => `${n} min`, hours: n => `${n} h`,
  repeated: n => `repeated ×${n}`, details: "Details", call: "call", quiet: "quiet", answer: "Answer", decline: "Decline", picture: "picture",
  number: n => n ? `Number on the icon: ${n}` : "No number on the icon", cleared: "The app's notifications left the screen with it.",
  callScreenEnds: "call screen ended", phoneAlone: p => `Show only this phone: ${p}`, allPhones: "All phones",
  onScreen: n => n === 1 ? "1 notification" : `${n} notifications`,
  kill: "Make this token dead", revive: "Revive this token", faultHere: "Fault for this device…", copied: "Done.",
  fields: { app: "app", phone: "phone", token: "token", key: "collapse key", vendor_id: "vendor's id", group: "group", call_id: "call", class: "class", channel: "channel", sound: "sound", badge: "badge", image: "image", ext: "ext", seq: "number", at: "accepted at" },
  kind: "What goes wrong", token: "Only for this device token (empty: all)", times: "How often (empty: until cleared)", retryAfter: "Retry-After, in seconds",
  delay: "Delay, in seconds", status: "HTTP status (empty: 500)", code: "The vendor's own code, such as 80300007", cancel: "Cancel", arm: "Arm",
  unreachable: "The sandbox cannot be reached.",
  arrived: n => n === 1 ? "1 new notification" : `${n} new notifications`,
  kinds: {
    dead_token: ["Dead token", "The vendor says that the device's token is dead."],
    partial: ["Part of a batch fails", "Of a batch, the devices with this token fail as dead; the rest are accepted."],
    throttle: ["Too fast", "The vendor asks to slow down."],
    quota: ["Quota spent", "The day's quota is used up."],
    expired_auth: ["Access expired", "The access token or JWT is called too old."],
    code: ["A code of the vendor", "The vendor answers with this code of its own."],
    server_error: ["Server error", "An HTTP error with an HTML page, as a broken gateway gives."],
    garbage: ["Garbage", "HTTP 200 with a body that is no answer."],
    hang: ["Hang", "Reads the request and says nothing until the fault is cleared; then goes on."],
    slow: ["Slow", "Waits, then goes on."],
    reset_before: ["Reset before", "Closes the connection; nothing is accepted."],
    reset_after: ["Reset after", "Accepts, then closes the connection without an answer."],
  },
};

const chinese = {
  name: "鸿雁沙箱", skip: "跳到通知列表", feed: "通知", filter: "只看一个厂商", all: "全部",
  live: "实时", connecting: "连接中…", lost: "连接已断开，正在重试…",
  accepted: "已接受", repeats: "重复", withdrawn: "已撤回", refused: "已拒绝", violations: "违规", violationsShort: "违规",
  pause: "暂停", resume: n => n ? `继续（${n}）` : "继续", clear: "清空视图",
  themeAuto: "主题：自动", themeLight: "主题：浅色", themeDark: "主题：深色", language: "English",
  emptyTitle: "还没有通知", emptyText: "厂商模拟服务每接受一条推送，这里就会按对应手机的样子显示出来。请让 worker 的证书指向本沙箱并发送一条，或先查看现有数据：",
  missed: n => `另有 ${n} 条来得太快，没有逐条显示；计数里包含它们。`,
  vendors: "厂商", vendor: "厂商", fault: "故障", faults: "已布置的故障", noFaults: "没有故障：所有厂商都正常应答。",
  clearFaults: "清除全部故障", clearVendor: v => `清除${v}的故障`, armFor: v => `为${v}布置故障`, armShort: "故障…", always: "直到清除", timesLeft: n => `还剩 ${n} 次`,
  remove: "清除此故障", deviceOnly: t => `设备 ${t}`,
  rules: "违反的规则", noRules: "没有：所有请求都符合厂商规则。",
  now: "刚刚", minutes: n => `${n} 分钟前`, hours: n => `${n} 小时前`,
  repeated: n => `重复 ×${n}`, details: "详情", call: "来电", quiet: "静默", answer: "接听", decline: "拒绝", picture: "图片",
  number: n => n ? `图标角标：${n}` : "图标无角标", cleared: "该应用的通知也随之从屏幕上消失。",
  callScreenEnds: "来电界面已结束", phoneAlone: p => `只看这台手机：${p}`, allPhones: "所有手机", onScreen: n => `${n} 条通知`,
  kill: "让此 token 失效", revive: "恢复此 token", faultHere: "为此设备布置故障…", copied: "完成。",
  fields: { app: "应用", phone: "手机", token: "token", key: "折叠键", vendor_id: "厂商消息 ID", group: "分组", call_id: "通话", class: "分类", channel: "通道", sound: "声音", badge: "角标", image: "图片", ext: "ext", seq: "序号", at: "接受时间" },
  kind: "故障类型", token: "只针对这个设备 token（留空：全部）", times: "次数（留空：直到清除）", retryAfter: "Retry-After（秒）",
  delay: "延迟（秒）", status: "HTTP 状态码（留空：500）", code: "厂商自己的错误码，例如 80300007", cancel: "取消", arm: "布置",
  unreachable: "无法连接沙箱。",
  arrived: n => `${n} 条新通知`,
  kinds: {
    dead_token: ["token 失效", "厂商说该设备的 token 已失效。"],
    partial: ["批量部分失败", "一批设备中，token 相符的按失效处理，其余接受。"],
    throttle: ["过快", "厂商要求降低速度。"],
    quota: ["配额用尽", "当天的配额已经用完。"],
    expired_auth: ["凭据过期", "访问令牌或 JWT 被认为过期。"],
    code: ["厂商错误码", "厂商以指定的错误码应答。"],
    server_error: ["服务器错误", "HTTP 错误和 HTML 页面，如同网关故障。"],
    garbage: ["乱码", "HTTP 200，但内容不是应答。"],
    hang: ["挂起", "读完请求后不出声，直到清除故障才继续。"],
    slow: ["缓慢", "等待一段时间后继续。"],
    reset_before: ["处理前断开", "直接断开连接，什么也没接受。"],
    reset_after: ["处理后断开", "接受了推送，但不应答就断开连接。"],
  },
};

const stored = localStorage.getItem("language");
export let language = stored === "zh" || stored === "en" ? stored : navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
export let words = language === "zh" ? chinese : english;

// translate puts the words into every element that asks for one.
export function translate() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = words.name;
  for (const el of document.querySelectorAll("[data-i18n]")) el.textContent = words[el.dataset.i18n];
  for (const el of document.querySelectorAll("[data-i18n-label]")) el.setAttribute("aria-label", words[el.dataset.i18nLabel]);
}

export function switchLanguage() {
  language = language === "zh" ? "en" : "zh";
  words = language === "zh" ? chinese : english;
  localStorage.setItem("language", language);
  translate();
}
