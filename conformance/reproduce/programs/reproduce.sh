#!/bin/sh
# Shows the behaviour that README.md tells of, in one container without a network. Needs docker alone.
#   QMAIL_IMAGE   an image that holds a qmail and tcpserver, in the place of the one that is built here
#   QMAIL_BASE    the base that it is built on
# Exit status: 0 shown, 1 not shown, 3 the world failed (Docker, image), so nothing is said about qmail.
set -eu

trouble() {
  echo "reproduce.sh: $*" >&2
  exit 3
}

cd "$(dirname "$0")" || trouble "its own directory cannot be entered"
command -v docker > /dev/null || trouble "docker is needed, and there is none"
docker version > /dev/null 2>&1 || trouble "no Docker engine answers"
log=$(mktemp) || trouble "no temporary file can be made"
trap 'rm -f "$log"' EXIT

@IMAGE@

# Some of what qmail does is chance (which of two equals, which of two processes is first): what is not shown
# is tried again, twice at most.
for _ in 1 2 3; do
  echo "running $QMAIL_IMAGE without a network …"
  status=0
  tar -cf - --exclude ./image --exclude ./traffic.pcap . |
    docker run --rm -i --network none --hostname @HOST@ \
      @CONFINED@ \
      --entrypoint /bin/sh "$QMAIL_IMAGE" -c \
      '{ mkdir /reproduction && tar -xf - -C /reproduction; } || exit 3; exec sh /reproduction/inside.sh' \
      > "$log" 2>&1 || status=$?
  if [ "$status" -ne 1 ]; then break; fi
done
cat "$log"
case $status in
  0 | 1 | 3) exit "$status" ;;
  *) trouble "the container ended with status $status" ;;
esac
