package huawei

import (
	"fmt"
	"slices"

	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/pushkit"
)

// Levels of the code table besides the result code of messages:send, which has none.
const (
	levelHTTP  = "http"  // the HTTP status of messages:send where the body holds no code
	levelOAuth = "oauth" // the token endpoint: "error/sub_error", or the HTTP status
)

// codes is the whole table. The codes 100 to 111 and 8000000x of older lists belong to the retired
// NSP API and cannot come here.
func codes() []vendors.Code {
	table := slices.Concat([]vendors.Code{
		{Code: pushkit.CodeSuccess, Reason: vendors.Accepted, Meaning: vendors.Both(
			"accepted, which is not delivered: quotas and switched-off notifications show up in receipts only",
			"已受理，不等于已送达：频控和通知关闭只体现在回执中")},
		{Code: pushkit.CodePartial, Reason: vendors.BadToken, Meaning: vendors.Both(
			"some tokens are illegal, msg names them; the others were accepted",
			"部分 token 非法，msg 列出它们；其余已受理")},
		{Code: "80100001", Reason: vendors.BadPayload, Meaning: vendors.Both("a parameter is wrong", "参数错误")},
		{Code: "80100002", Reason: vendors.BadPayload, Meaning: vendors.Both("a sync or system message takes one token (older versions)", "同步或系统消息只能有一个 token（旧版本）")},
		{Code: "80100003", Reason: vendors.BadPayload, Meaning: vendors.Both("the message's structure is wrong", "消息结构有误")},
		{Code: "80100004", Reason: vendors.BadPayload, Meaning: vendors.Both("the expiry lies in the past", "过期时间早于当前时间")},
		{Code: "80100013", Reason: vendors.BadPayload, Meaning: vendors.Both("collapse_key is illegal", "collapse_key 非法")},
		{Code: codeSensitive, Reason: vendors.Refused, Meaning: vendors.Both(
			"the text holds sensitive words; it is sent once more in its generic form",
			"文案含敏感词；以通用文案重发一次")},
		{Code: "80100017", Reason: vendors.RateLimited, Meaning: vendors.Both("more than 100 topic tasks at a time", "主题任务同时超过 100 个")},
		{Code: "80100018", Reason: vendors.BadPayload, Meaning: vendors.Both("the review's signature does not match the body", "审核签名与消息体不符")},
		{Code: "80200001", Reason: vendors.AuthExpired, Meaning: vendors.Both(
			"authentication failed; where a fresh access token is refused too, app_id, app_secret or project_id do not belong together",
			"鉴权失败；若新取得的访问令牌也被拒，则 app_id、app_secret、project_id 不属于同一应用")},
		{Code: "80200003", Reason: vendors.AuthExpired, Meaning: vendors.Both("the access token expired", "访问令牌过期")},
		{Code: "80200005", Reason: vendors.AuthExpired, Meaning: vendors.Both("the JWT expired", "JWT 过期")},
		{Code: codeNoRight, Reason: vendors.BadCredentials, Scope: vendors.ScopeDevice, Meaning: vendors.Both(
			"the app may not push: Push Kit is off, the id in the path is wrong, or the right for overseas is missing; or the token is of another app, so that it parks the certificate only where many devices get it and none is accepted",
			"应用无推送权限：未开通推送服务、路径中的 ID 有误或缺少海外推送权限；也可能是 token 属于其他应用，因此只有大量设备都得到此码且没有设备被受理时才暂停证书")},
		{Code: pushkit.CodeAllInvalid, Reason: vendors.BadToken, Doubtful: true, Meaning: vendors.Both(
			"all tokens are invalid; believed of a single token, probed where there are several",
			"全部 token 无效；单个 token 直接采信，多个时逐个探测")},
		{Code: "80300008", Reason: vendors.BadPayload, Meaning: vendors.Both("the body is longer than 4096 bytes", "消息体超过 4096 字节")},
		{Code: "80300010", Reason: vendors.BadPayload, Meaning: vendors.Both("no token, too many, or message or token misspelt", "没有 token、数量过多，或 message、token 字段拼写有误")},
		{Code: "80300011", Reason: vendors.Refused, Meaning: vendors.Both("no right for pass-through messages of urgency HIGH", "没有发送 urgency 为 HIGH 的透传消息的权限")},
		{Code: "80300013", Reason: vendors.BadCredentials, Meaning: vendors.Both("the receipt address or its certificate is wrong", "回执地址或其证书有误")},
		{Code: "80600003", Reason: vendors.AuthExpired, Meaning: vendors.Both(
			"Huawei could not check the access token; where a fresh one fails too, check app_id and app_secret",
			"华为无法校验访问令牌；若新令牌也失败，请检查 app_id 和 app_secret")},
		{Code: "81000001", Reason: vendors.Unavailable, Meaning: vendors.Both("internal error", "内部错误")},
	}, pushkit.StatusCodes(levelHTTP, vendors.Both("endpoint, app_id or project_id", "endpoint、app_id 或 project_id")), []vendors.Code{
		{Code: "1101/12304", Level: levelOAuth, Reason: vendors.BadCredentials, Meaning: vendors.Both("app_secret is wrong", "app_secret 错误")},
		{Code: "1101/20002", Level: levelOAuth, Reason: vendors.BadCredentials, Meaning: vendors.Both("app_id is not 1 to 64 digits", "app_id 不是 1 至 64 位数字")},
		{Code: "1101/20003", Level: levelOAuth, Reason: vendors.BadCredentials, Meaning: vendors.Both("app_id does not exist", "app_id 不存在")},
		{Code: "1101/20171", Level: levelOAuth, Reason: vendors.BadCredentials, Meaning: vendors.Both("app_secret is empty", "app_secret 为空")},
		{Code: "HTTP 400", Level: levelOAuth, Reason: vendors.BadCredentials, Meaning: vendors.Both("a parameter is wrong", "参数错误")},
		{Code: "HTTP 403", Level: levelOAuth, Reason: vendors.BadCredentials, Meaning: vendors.Both("forbidden", "禁止访问")},
		{Code: "HTTP 404", Level: levelOAuth, Reason: vendors.BadCredentials, Meaning: vendors.Both("no such path: token_endpoint is wrong", "路径不存在：token_endpoint 有误")},
		{Code: "HTTP 405", Level: levelOAuth, Reason: vendors.BadCredentials, Meaning: vendors.Both("wrong method: token_endpoint is wrong", "请求方法错误：token_endpoint 有误")},
		{Code: "HTTP 500", Level: levelOAuth, Reason: vendors.Unavailable, Meaning: vendors.Both("internal error", "内部错误")},
		{Code: "HTTP 502", Level: levelOAuth, Reason: vendors.Unavailable, Meaning: vendors.Both("connection problem", "连接异常")},
		{Code: "HTTP 503", Level: levelOAuth, Reason: vendors.RateLimited, Meaning: vendors.Both(
			"flow control: more than 1,000 tokens for an app in five minutes",
			"流量控制：应用五分钟内申请令牌超过 1000 次")},
		{Code: "HTTP 504", Level: levelOAuth, Reason: vendors.Unavailable, Meaning: vendors.Both("gateway timeout", "网关超时")},
		{Code: "HTTP 590", Level: levelOAuth, Reason: vendors.Unavailable, Meaning: vendors.Both("internal error", "内部错误")},
	})
	for i := range 13 {
		table = append(table, vendors.Code{
			Code: fmt.Sprintf("820000%02d", i+1), Reason: vendors.BadPayload, Meaning: vendors.Both(
				"topic API only: a group, topic or token list is wrong",
				"仅主题接口：群组、主题或 token 列表有误"),
		})
	}
	return table
}
