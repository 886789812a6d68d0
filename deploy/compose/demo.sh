#!/bin/sh
# The demo conversation, as an IM backend would tell it, by the publisher. It runs as the service "demo" of docker-compose.yml, and on
# any machine with a publisher and a worker that knows the demo certificates. Written by "make generate".
set -eu

# phone USER DEVICE CERTIFICATE PLATFORM LOCALE TOKEN FLAGS...: a phone registers, and its app goes to the background with two unread
# messages. A phone whose calls go by a certificate and a token of their own names them in the flags.
phone() {
  user=$1 device=$2 certificate=$3 platform=$4 locale=$5 token=$6
  shift 6
  publisher device set --app demo --user "$user" --device "$device" --certificate "$certificate" --platform "$platform" --locale "$locale" \
    --token "$token" "$@"
  publisher presence --app demo --user "$user" --device "$device" --state background --unread 2
}

# group FROM NICKNAME FLAGS...: a message in the hiking group, to everybody else in it.
group() {
  from=$1 nickname=$2
  shift 2
  for user in bob carol dan erin frank grace heidi ivan judy; do
    set -- "$@" --to "$user"
  done
  publisher send --app demo --from "$from" --nickname "$nickname" --group g-hiking --group-name '周末爬山 Hiking' \
    --ext '{"conversationID":"g-hiking"}' "$@"
}

# A phone of each vendor. The tokens are made up, in the shapes of real ones.
phone bob iphone demo-apns ios en-US f592525b2e514094ace3c634e3d9165a7f69b123417d37014c7b419d434affa2 --voip-certificate demo-apns-voip --voip-token dd3e0e875b206583cfd0dce9d1d29f93d067430a76dfe1df28d1cb9367d4db70
phone carol pixel demo-fcm android en-GB 9a1a03867ace8270cd41e2:APA91bOWExYTAzODY3YWNlODI3MGNkNDFlMjBhMWRmYmQwZmRiY2ZiOGQzODRiOGRlNzA0OTYyMDVlNzZhODJlNTdmZTlhMWEwMzg2N2FjZTgyNzBjZDQxZTIwYTFkZmJkMGZkYmNmYj
phone dan mate60 demo-huawei android zh-CN NzBlOGNkNTQ5NzczNGU2OGMwNjhkYzVkNDY2NGI1MzNjOWJmZDQ1YzRmMTJhYTM4ZGIzNzFjODk1ZjFjNTZhNTcwZThjZDU0OTc3MzRlNjhjMDY4ZGM1ZDQ2NjRiNTMzYzliZmQ0NWM0ZjEyYWEzOGRiMzcxYzg5NWYxYzU2YTU
phone erin matepad demo-harmony harmony zh-CN ZTc1Mjk3ODI0MTg0MjVlNzE2NWNkYmQ2MTMzMmMwYWIyOWNmNjM1ZWM2NThlYmFkNTcwYzA5Y2M5MWRhOGNhY2U3NTI5NzgyNDE4NDI1ZTcxNjVjZGJkNjEzMzJjMGFiMjljZjYzNWVjNjU4ZWJhZDU3MGMwOWNjOTFkYThjYWM
phone frank magic6 demo-honor android zh-CN BAEAAAAAB.ZTI5MWY0MjdkNGM3NzczOWQyOGU3ZjkzNjRmMmZmM2QzNzg5NTE1NzhkZTFkZGU2ODQzMTZiMDgyZGM2M2E4NA
phone grace xiaomi15 demo-xiaomi android zh-CN m3GivacXq/F7TDx7oy0EXFFY6dX7JC7LdGrwZMUKnfI=
phone heidi findx7 demo-oppo android zh-CN OPPO_CN_826dc648b14fb0b9c474504cb80661aa
phone ivan x100 demo-vivo android zh-CN 81799702034766486688113
phone judy meizu21 demo-meizu android zh-CN 32126ac044638fd3e0644c0e143a40c9_meizu

group alice Alice --text '周六八点山门口见？ Saturday at eight? 🏔️'
group alice Alice --type image
group bob   Bob   --text 'I bring the tea 🍵'
group alice Alice --call video

echo
echo "Four messages went to a phone of each vendor. See them: ${PAGE:-http://127.0.0.1:8240/sandbox/}"
echo "Why somebody was notified: docker compose run --rm --no-deps demo publisher explain --app demo --user bob"
