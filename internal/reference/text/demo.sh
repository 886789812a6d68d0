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
  for user in {{.Users}}; do
    set -- "$@" --to "$user"
  done
  publisher send --app demo --from "$from" --nickname "$nickname" --group g-hiking --group-name '周末爬山 Hiking' \
    --ext '{"conversationID":"g-hiking"}' "$@"
}

# A phone of each vendor. The tokens are made up, in the shapes of real ones.
{{.Phones}}
group alice Alice --text '周六八点山门口见？ Saturday at eight? 🏔️'
group alice Alice --type image
group bob   Bob   --text 'I bring the tea 🍵'
group alice Alice --call video

echo
echo "Four messages went to a phone of each vendor. See them: ${PAGE:-http://127.0.0.1:8240/sandbox/}"
echo "Why somebody was notified: docker compose run --rm --no-deps demo publisher explain --app demo --user bob"
